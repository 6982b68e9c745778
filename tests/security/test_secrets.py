"""Credentials (ASVS 13.3.1, 16.2.5): encrypted at rest, never returned, in no dump, repr, page or log."""

from __future__ import annotations

import io
import json
import logging
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.forms.models import model_to_dict
from django.urls import reverse
from kombu.exceptions import ContentDisallowed
from kombu.serialization import loads

from accounts.models import BounceMailbox, Relay, SigningKey
from accounts.secrets import SecretField
from campaigns.models import DataKey
from config.celery import app
from tests.security.routes import routes
from tests.security.world import World

ROOT = Path(__file__).parents[2]
SECRET = "canary-secret-4711"


@pytest.fixture
def world(db: None) -> World:
    world = World()
    Relay.objects.filter(team=world.team).update(secret=SECRET, username="u")
    BounceMailbox.objects.filter(team=world.team).update(secret=SECRET)
    return world


def secrets_of(world: World) -> list[str]:
    key = SigningKey.objects.filter(team=world.team).latest("pk")
    data_key = DataKey.objects.filter(team=world.team).latest("pk")
    private = [line for line in str(key.private_key).splitlines() if len(line) > 40]
    return [SECRET, private[1] if len(private) > 1 else private[0], str(data_key.key)]


def test_the_secrets_are_there_and_come_back(world: World) -> None:
    relay = Relay.objects.filter(team=world.team).first()
    assert relay is not None
    assert str(relay.secret) == SECRET
    assert all(len(secret) > 10 for secret in secrets_of(world))


def test_dumpdata_holds_none(world: World) -> None:
    out = io.StringIO()
    call_command("dumpdata", "accounts", "campaigns", stdout=out)
    rows = json.loads(out.getvalue())
    assert {"accounts.relay", "accounts.signingkey", "campaigns.datakey"} <= {
        row["model"] for row in rows
    }
    for secret in secrets_of(world):
        assert secret not in out.getvalue()


def test_no_repr_no_log_and_no_form_shows_one(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    found = []
    for model in apps.get_models():
        if any(isinstance(field, SecretField) for field in model._meta.local_fields):
            for row in model._default_manager.all():
                logging.getLogger("x").info("%r %s %r", row, row, vars(row))
                found.append(f"{row!r} {vars(row)!r} {model_to_dict(row)!r}")
    assert len(found) >= 4
    for secret in secrets_of(world):
        assert secret not in "".join(found)
        assert secret not in caplog.text


def test_no_page_returns_one(world: World) -> None:
    client = world.client(user=world.hr)
    secrets = secrets_of(world)
    for route in routes():
        url = route.about(world.ids)
        answer = client.get(url)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        for secret in secrets:
            assert secret.encode() not in body, url


def test_a_form_that_is_wrong_does_not_repeat_the_typed_one(world: World) -> None:
    client = world.client(user=world.hr)
    fields = {"preset": "own", "name": "", "host": "x.example", "secret": "typed-secret-0815"}
    for name in ("relay_new", "mailbox_new"):
        answer = client.post(reverse(f"campaigns:{name}"), fields)
        assert answer.status_code == 422
        assert b"typed-secret-0815" not in answer.content


def test_no_secret_is_searched_for(world: World) -> None:
    for field, model in (("secret", Relay), ("private_key", SigningKey)):
        with pytest.raises(TypeError):
            list(model.objects.filter(**{field: SECRET}))


def test_celery_opens_json_alone() -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == "json"
    assert app.conf.task_ignore_result is True
    assert app.conf.result_backend is None
    with pytest.raises(ContentDisallowed):
        loads(
            pickle.dumps({"x": 1}),
            "application/x-python-serialize",
            "binary",
            accept=app.conf.accept_content,
        )


def test_every_task_takes_ids_alone() -> None:
    import inspect

    from campaigns import tasks as _registered  # noqa: F401

    tasks = [task for name, task in app.tasks.items() if name.startswith("campaigns.")]
    assert len(tasks) >= 8
    for task in tasks:
        for parameter in inspect.signature(task.run).parameters.values():
            assert parameter.annotation in (int, "int"), task.name


def test_redis_has_a_password_and_is_no_neighbours() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    redis = compose[compose.index("\n  redis:") :]
    redis = (
        redis[: redis.index("\n  ", 10 + redis.index("command"))] if "command" in redis else redis
    )
    assert "requirepass" in compose
    assert not re.search(r'ports:\s*\n\s*- "?(?:0\.0\.0\.0:)?6379', compose)
    assert not re.search(r'ports:\s*\n\s*- "?(?:0\.0\.0\.0:)?5432', compose)


def test_debug_is_off_unless_said_and_a_failure_says_nothing() -> None:
    env = {name: value for name, value in os.environ.items() if name != "DEBUG"}
    done = subprocess.run(
        [sys.executable, "-c", "from django.conf import settings; print(settings.DEBUG)"],
        cwd=ROOT, env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "False"


@pytest.mark.django_db
def test_a_failure_is_a_page_without_a_word_of_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    client = world.client(user=world.hr)
    client.raise_request_exception = False

    def fail(*_args: object, **_more: object) -> None:
        raise RuntimeError(f"{SECRET} {settings.SECRET_KEY} 8888.88")

    monkeypatch.setattr("campaigns.views.overview.render", fail)
    answer = client.get("/")
    assert answer.status_code == 500
    page = answer.content.decode()
    assert "<h1>" in page
    for word in (SECRET, settings.SECRET_KEY, "8888.88", "RuntimeError", "Traceback", ".py"):
        assert word not in page


def test_a_key_file_of_the_first_run_is_its_owners_alone(tmp_path: Path) -> None:
    from config import embedded

    path = tmp_path / "encryption.key"
    embedded._kept(path, "x")
    assert path.stat().st_mode & 0o777 == 0o600
    assert embedded._kept(path, "y") == "x"
