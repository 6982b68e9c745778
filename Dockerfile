# Two stages: the packages are installed by hash in the first, and the second holds no compiler and no pip cache.
FROM python:3.11-slim-bookworm AS packages
COPY requirements.txt .
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

FROM python:3.11-slim-bookworm
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin hongyan
COPY --from=packages /venv /venv
WORKDIR /app
COPY manage.py LICENSE ./
COPY config ./config
COPY accounts ./accounts
COPY campaigns ./campaigns
COPY locale ./locale
COPY static ./static
COPY templates ./templates
COPY scripts/healthcheck.py ./scripts/healthcheck.py
# Compiled once here, for the folder is read-only later. The settings want an environment; none of it is kept.
RUN python -m compileall -q accounts campaigns config \
    && SECRET_KEY=for-this-line-alone PUBLIC_URL=https://hongyan.example \
    HONGYAN_ENCRYPTION_KEYS="$(python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')" \
    DATABASE_URL=sqlite://:memory: REDIS_URL=redis://127.0.0.1:9/0 \
    python manage.py collectstatic --noinput
USER hongyan
EXPOSE 8000
CMD ["gunicorn", "config.wsgi", "--bind", "0.0.0.0:8000", "--worker-tmp-dir", "/dev/shm", "--no-control-socket"]
