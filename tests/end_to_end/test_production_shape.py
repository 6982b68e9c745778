"""The compose file's services without a Docker engine: its own commands, by hand, on real servers.

The folder that the image would hold is made as the Dockerfile says, static files included; then
Redis, migrate, web, two workers and beat run there exactly as docker-compose.yml starts them. Only
host names and ports differ.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from cryptography.fernet import Fernet

from tests.end_to_end.compose_file import load
from tests.fakes.scripted_relay import ScriptedRelay
from tests.servers.folder import temporary_folder
from tests.servers.process import Process, becomes_true, free_port

ROOT = Path(__file__).parents[2]
HOST = "hongyan.example"
DRAIN_SECONDS = 30
BATCH_SECONDS = 6
WORKERS = ("worker-1", "worker-2")


class Stack:
    """The services of docker-compose.yml as processes; `image` is the folder that they run in."""

    def __init__(self, folder: Path, image: Path, server_url: str) -> None:
        self.folder, self.image, self.port = folder, image, free_port()
        self.redis_port = free_port()
        self.variables = {
            "SECRET_KEY": secrets.token_urlsafe(50),
            "HONGYAN_ENCRYPTION_KEYS": Fernet.generate_key().decode("ascii"),
            "PUBLIC_URL": f"https://{HOST}",
            "ALLOWED_HOSTS": HOST,
            "POSTGRES_PASSWORD": secrets.token_hex(16),
            "REDIS_PASSWORD": secrets.token_hex(16),
            "TICK_SECONDS": "1",
            "BATCH_SECONDS": str(BATCH_SECONDS),
        }
        self.services = load(ROOT / "docker-compose.yml", self.variables)["services"]
        self.database = self._create_database(server_url)
        self.processes: dict[str, Process] = {}

    def _create_database(self, server_url: str) -> str:
        name = f"hongyan_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))

    def environment(self, service: str) -> dict[str, str]:
        """As Compose would give it, with the addresses of this machine's servers."""
        given = self.services[service]["environment"]
        env = {name: value or self.variables.get(name) for name, value in given.items()}
        env = {name: value for name, value in env.items() if value is not None}
        if "DATABASE_URL" in env:
            env["DATABASE_URL"] = self.database
            env["REDIS_URL"] = env["REDIS_URL"].replace(
                "redis:6379", f"127.0.0.1:{self.redis_port}"
            )
        # What the Dockerfile sets, and what every container has.
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        env |= {"PATH": path, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        return env | {"HOSTNAME": socket.gethostname(), "HEALTHCHECK_PORT": str(self.port)}

    def start(self, service: str, name: str = "") -> Process:
        name = name or service
        env = self.environment(service) | {
            "REDIS_DATA": str(self.folder / "redis"),
            "REDIS_PORT": str(self.redis_port),
        }
        bind = f"127.0.0.1:{self.port}"
        command = [part.replace("0.0.0.0:8000", bind) for part in self.services[service]["command"]]
        log = self.folder / f"{name}.log"
        process = Process(command, log=log, env=env, folder=self.image, death_signal=signal.SIGKILL)
        self.processes[name] = process
        return process

    def healthy(self, service: str) -> bool:
        """Runs the service's own health check."""
        kind, *command = self.services[service]["healthcheck"]["test"]
        if kind == "CMD-SHELL":
            command = [
                "sh",
                "-c",
                command[0].replace("redis-cli", f"redis-cli -p {self.redis_port}"),
            ]
        done = subprocess.run(
            command,
            cwd=self.image,
            env=self.environment(service),
            capture_output=True,
            check=False,
            timeout=30,
        )
        return done.returncode == 0

    def get(self, path: str, host: str = HOST) -> tuple[int, dict[str, str], str]:
        """Status, headers and body, as the proxy would ask."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request("GET", path, headers={"Host": host, "X-Forwarded-Proto": "https"})
            answer = connection.getresponse()
            body = answer.read().decode("utf-8", "replace")
            return answer.status, dict(answer.getheaders()), body

    def close(self) -> None:
        for process in reversed(self.processes.values()):
            process.stop()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Dockerfile's COPY lines and its collectstatic leave in /app."""
    folder = tmp_path_factory.mktemp("image") / "app"
    last_stage = (ROOT / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[-1]
    for names, target in re.findall(r"^COPY (?!--from)(.+) (\S+)$", last_stage, re.MULTILINE):
        for name in names.split():
            copy(ROOT / name, folder / target / (name if target == "./" else ""))
    collect = re.search(r"python (manage\.py collectstatic .+)$", last_stage, re.MULTILINE)
    assert collect is not None
    env = {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": "x" * 50,
        "PUBLIC_URL": "https://hongyan.example",
        "HONGYAN_ENCRYPTION_KEYS": Fernet.generate_key().decode("ascii"),
        "DATABASE_URL": "sqlite://:memory:",
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    subprocess.run(
        [sys.executable, *collect[1].split()], cwd=folder, env=env, check=True, timeout=90
    )
    return folder


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


@pytest.fixture(scope="module")
def stack(image: Path, postgres_url: str) -> Iterator[Stack]:
    """Started in the order of depends_on: Redis, migrate, then the rest."""
    with temporary_folder() as folder:
        (folder / "redis").mkdir()
        made = Stack(folder, image, postgres_url)
        try:
            redis = made.start("redis")
            redis.wait_until(lambda: made.healthy("redis"), seconds=20, what="redis")
            assert made.start("migrate").wait(120) == 0, made.processes["migrate"].tail()
            made.start("web")
            for name in WORKERS:
                made.start("worker", name)
            made.start("beat")
            made.processes["web"].wait_until(lambda: made.healthy("web"), seconds=40, what="web")
            yield made
        finally:
            made.close()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_web_server_is_well_and_says_nothing_else(stack: Stack) -> None:
    status, _headers, body = stack.get("/healthz")
    assert (status, body) == (204, "")


@pytest.mark.slow
def test_static_files_carry_their_hash_and_are_kept_for_ever(stack: Stack) -> None:
    status, _headers, page = stack.get("/accounts/sign-in/")
    assert status == 200
    found = re.findall(r'(?:href|src)="(/static/[^"#]+)', page)
    assert found
    for path in set(found):
        status, headers, _body = stack.get(path)
        assert status == 200, path
        if re.search(r"\.[0-9a-f]{12}\.\w+$", path):
            assert "immutable" in headers["Cache-Control"]
    assert any(re.search(r"app\.[0-9a-f]{12}\.css$", path) for path in found)


@pytest.mark.slow
def test_it_answers_to_its_own_name_alone_and_shows_no_debug_page(stack: Stack) -> None:
    assert stack.get("/", host="evil.example")[0] == 400
    status, _headers, page = stack.get("/no-such-page/")
    assert status == 404
    assert "urlpatterns" not in page
    assert "DEBUG" not in page


@pytest.mark.slow
def test_there_is_no_sandbox(stack: Stack) -> None:
    assert stack.get("/sandbox/")[0] == 404


@pytest.mark.slow
def test_cookies_go_over_tls_alone(stack: Stack) -> None:
    _status, headers, _page = stack.get("/accounts/sign-in/")
    assert "; Secure" in headers["Set-Cookie"]
    assert "max-age=" in headers["Strict-Transport-Security"]


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_workers_that_are_stopped_while_sending_finish_what_they_began(stack: Stack) -> None:
    """As at an upgrade: nothing is left in doubt, and the workers that follow send the rest once."""
    with ScriptedRelay() as relay:
        act(stack, "found_company", relay={"port": relay.port}, mailbox=None, limit=5)
        act(stack, "upload", employees=60, domain="staff.example", awkward=[])
        assert becomes_true(
            lambda: act(stack, "workbook")["state"] == "read", seconds=40, every=0.5
        )
        act(stack, "launch")
        assert becomes_true(lambda: len(relay.accepted) >= 5, seconds=30)
        for name in WORKERS:
            stack.processes[name].stop(signal.SIGTERM, seconds=DRAIN_SECONDS)
            assert stack.processes[name].returncode == 0, stack.processes[name].tail()
        sent = len(relay.accepted)
        assert sent < 60
        assert act(stack, "states")["deliveries"] == {"accepted": sent, "queued": 60 - sent}
        for name in WORKERS:
            stack.start("worker", name)
        finished = {"accepted": 60}
        assert becomes_true(
            lambda: act(stack, "states")["deliveries"] == finished, seconds=60, every=1
        )
        assert len({message.message_id for message in relay.accepted}) == len(relay.accepted) == 60


def act(stack: Stack, step: str, **arguments: Any) -> Any:
    """One step of what people do (actor.py), in the stack's environment."""
    command = [sys.executable, "-m", "tests.end_to_end.actor", step, json.dumps(arguments)]
    env = stack.environment("web") | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_beat_ticks_and_a_worker_does_the_ticks_work(stack: Stack) -> None:
    """A claim whose lease ran out is ended by the sweep of the next tick."""
    claim = manage(stack, "shell", "--no-imports", "-c", MAKE_DEAD_CLAIM).strip()
    with psycopg.connect(stack.database, autocommit=True) as connection:

        def is_ended() -> bool:
            row = connection.execute(
                "SELECT ended_at FROM campaigns_claim WHERE id = %s", [claim]
            ).fetchone()
            return row is not None and row[0] is not None

        assert becomes_true(is_ended, seconds=30, every=0.1), stack.processes["worker-1"].tail()


MAKE_DEAD_CLAIM = """
from datetime import timedelta
from django.utils import timezone
from accounts.models import Relay, Team
from campaigns.models import Claim
from campaigns.pipeline.claim import server_started_at
team = Team.objects.create(name="甲")
relay = Relay.objects.create(team=team, name="中继", host="relay.example", from_addresses=[])
ago = timezone.now() - timedelta(minutes=5)
given = {"worker": "gone", "lease_until": ago, "server_started_at": server_started_at()}
print(Claim.objects.create(team=team, relay=relay, **given).pk)
"""


def manage(stack: Stack, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=stack.image,
        env=stack.environment("migrate"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_each_health_check_tells_a_dead_service(stack: Stack) -> None:
    assert stack.healthy("worker")
    assert stack.healthy("redis")
    healthy_port, stack.port = stack.port, free_port()
    assert not stack.healthy("web")
    stack.port = healthy_port


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_broken_production_is_not_migrated(stack: Stack) -> None:
    env = stack.environment("migrate") | {"DEBUG": "1"}
    command: list[Any] = stack.services["migrate"]["command"]
    done = subprocess.run(
        command, cwd=stack.image, env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    assert "DEBUG" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_sigterm_ends_every_service_in_order_and_nothing_was_written(stack: Stack) -> None:
    """Last in this file: afterwards nothing runs any more."""
    before = listing(stack.image)
    for name in ("beat", *WORKERS, "web", "redis"):
        process, begun = stack.processes[name], time.monotonic()
        assert process.returncode is None, process.tail()
        process.stop(signal.SIGTERM, seconds=DRAIN_SECONDS)
        assert time.monotonic() - begun < DRAIN_SECONDS, name
        assert process.returncode == 0, f"{name}: {process.returncode}\n{process.tail()}"
    assert listing(stack.image) == before
    assert not [name for name in before if name.startswith(("var/", "celerybeat"))]


def listing(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
