"""Settings: one file, from the environment alone, failing loudly (.env.example lists them all)."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import dj_database_url
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config import environment

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = environment.flag("DEBUG")
# Embedded: one process on SQLite with threads, a broker in memory and the mail sandbox.
EMBEDDED = environment.flag("HONGYAN_EMBEDDED")
SANDBOX = environment.flag("HONGYAN_SANDBOX") and EMBEDDED
VAR_DIR = Path(environment.text("HONGYAN_VAR", str(BASE_DIR / "var")))

SECRET_KEY = environment.text("SECRET_KEY")
SECRET_KEY_FALLBACKS = environment.items("SECRET_KEY_FALLBACKS")
# The first key encrypts, all of them decrypt (MultiFernet): put a new one in front to rotate.
ENCRYPTION_KEYS = environment.items("HONGYAN_ENCRYPTION_KEYS", None)
for _key in ENCRYPTION_KEYS:
    try:
        Fernet(_key)
    except ValueError as _error:
        raise ImproperlyConfigured(
            "HONGYAN_ENCRYPTION_KEYS: each must be a Fernet key."
        ) from _error
if not ENCRYPTION_KEYS:
    raise ImproperlyConfigured("HONGYAN_ENCRYPTION_KEYS is empty.")

# The address that links in mails carry. Checked at pre-flight, not here: an intranet may be allowed.
PUBLIC_URL = environment.text("PUBLIC_URL").rstrip("/")
ALLOWED_HOSTS = environment.items("ALLOWED_HOSTS", "127.0.0.1,localhost" if EMBEDDED else "")
CSRF_TRUSTED_ORIGINS = environment.items(
    "CSRF_TRUSTED_ORIGINS", PUBLIC_URL if PUBLIC_URL.startswith("https://") else ""
)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "accounts",
    "campaigns",
]

MIDDLEWARE = [
    # First what gives every answer its headers, also a static file's and an error's.
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.queries.WithoutNul",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.current_team.CurrentTeamMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "campaigns.navigation.navigation",
            ]
        },
    }
]

# Databases -------------------------------------------------------------------------------------

DATABASES = {"default": dj_database_url.parse(environment.text("DATABASE_URL"))}
_database = DATABASES["default"]
if _database["ENGINE"] == "django.db.backends.sqlite3":
    _database["OPTIONS"] = {
        # IMMEDIATE: a transaction that will write takes its lock first and so never fails half-way.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # synchronous=FULL: an outcome that was committed survives a power cut.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
else:
    _database["CONN_MAX_AGE"] = environment.number("DATABASE_CONN_MAX_AGE", 60)
    _database["CONN_HEALTH_CHECKS"] = True
ATOMIC_REQUESTS = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = environment.text("REDIS_URL", "" if EMBEDDED else None)

# Celery ----------------------------------------------------------------------------------------

CELERY_BROKER_URL = "memory://localhost/" if EMBEDDED else REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
# Acknowledged early and never retried by Celery: the rows are the queue, and the sweep repairs.
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A worker waits for its broker however long that is away; a host that does not answer is away.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {} if EMBEDDED else {"socket_connect_timeout": 5, "max_retries": 1, "interval_start": 0}
)
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_TASK_DEFAULT_QUEUE = "hongyan"

# Sign-in and sessions ----------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "campaigns:overview"
LOGOUT_REDIRECT_URL = "accounts:sign_in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"

# Security ----------------------------------------------------------------------------------------

_https = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = _https
CSRF_COOKIE_SECURE = _https
LANGUAGE_COOKIE_SECURE = _https
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = environment.number("HSTS_SECONDS", 31_536_000 if _https else 0)
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if environment.flag("BEHIND_PROXY"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# W008: redirecting to HTTPS is the proxy's work; W005, W021: subdomains and preload are the
# operator's choice for a whole domain, not ours.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "frame-src": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "manifest-src": ["'self'"],
    }
}

# Uploads -----------------------------------------------------------------------------------------

MAX_WORKBOOK_BYTES = environment.number("MAX_WORKBOOK_BYTES", 30 * 1024 * 1024)
# A zip of people's own files (pipeline/enclose.py).
MAX_ARCHIVE_BYTES = environment.number("MAX_ARCHIVE_BYTES", 100 * 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
# A payroll must not lie about in the system's temporary folder: no handler writes a file. (The page
# that takes workbooks brings one of its own, for bigger files.)
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]

# Language, time, static files --------------------------------------------------------------------

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("简体中文")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_TEAM_TIME_ZONE = environment.text("DEFAULT_TIME_ZONE", "Asia/Shanghai")

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
# `collectstatic` itself is what makes the manifest of hashed names, so it must already use it.
_hashed = not DEBUG and (
    sys.argv[1:2] == ["collectstatic"] or (STATIC_ROOT / "staticfiles.json").exists()
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if _hashed
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
# Without `collectstatic` (the embedded first run and the tests) the files are served where they lie.
WHITENOISE_USE_FINDERS = not _hashed
WHITENOISE_AUTOREFRESH = False
with contextlib.suppress(OSError):  # a read-only image has made it; whitenoise warns without it
    STATIC_ROOT.mkdir(exist_ok=True)

# Sending -----------------------------------------------------------------------------------------

# A claim is renewed while its worker lives; after this long without a renewal its rows are freed.
CLAIM_LEASE_SECONDS = environment.number("CLAIM_LEASE_SECONDS", 90)
# PostgreSQL may answer before a newsletter's outcome is on its disk: should the server crash, workers
# write what they remember again, and what nobody remembers is in doubt. Payslips always wait.
ASYNC_NEWSLETTERS = environment.flag("ASYNC_NEWSLETTERS", True)
CLAIM_BATCH = environment.number("CLAIM_BATCH", 200)
# Worker processes among which each relay's connections are divided; one drives its share from one loop.
WORKERS = 1 if EMBEDDED else max(1, environment.number("WORKERS", 2))
BATCH_SECONDS = environment.number("BATCH_SECONDS", 60)
TICK_SECONDS = environment.number("TICK_SECONDS", 2)
POLL_SECONDS = environment.number("POLL_SECONDS", 60)
# Name servers that the domain checks ask ("223.5.5.5,127.0.0.1:5353"); none: the system's.
DNS_SERVERS = environment.name_servers("DNS_SERVERS")
# A scheduled campaign that is later than this asks instead of sending (listed as a hold).
LATE_START_HOURS = environment.number("LATE_START_HOURS", 4)
# Days for which each request to a tracked link is kept; its count stays.
HIT_DAYS = max(1, environment.number("HIT_DAYS", 7))

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "config.log_format.QuietFormatter",
            "format": "{asctime} {levelname} {name}: {message}",
            "style": "{",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": environment.text("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "pikepdf": {"level": "WARNING"},  # it announces its own start
        # A line for every tick would bury the address and the login of the first run.
        **({"celery": {"level": "WARNING"}} if EMBEDDED else {}),
    },
}
