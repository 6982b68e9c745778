"""docker-compose.yml, read: no secret of its own, nothing published, nothing writable that need not be."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.compose_file import MissingVariable, load

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
REQUIRED = {
    "SECRET_KEY": "s" * 60,
    "HONGYAN_ENCRYPTION_KEYS": "k",
    "PUBLIC_URL": "https://hongyan.example",
    "ALLOWED_HOSTS": "hongyan.example",
    "POSTGRES_PASSWORD": "p",
    "REDIS_PASSWORD": "r",
}
OURS = ("migrate", "web", "worker", "beat")


@pytest.fixture
def services() -> dict[str, Any]:
    return load(FILE, REQUIRED)["services"]


@pytest.mark.parametrize("missing", REQUIRED)
def test_it_names_a_variable_that_is_missing(missing: str) -> None:
    variables = {name: value for name, value in REQUIRED.items() if name != missing}
    with pytest.raises(MissingVariable, match=f"{missing} is missing, "):
        load(FILE, variables)


def test_it_has_no_secret_of_its_own() -> None:
    text = FILE.read_text(encoding="utf-8")
    for name in ("SECRET_KEY", "HONGYAN_ENCRYPTION_KEYS", "POSTGRES_PASSWORD", "REDIS_PASSWORD"):
        assert f"${{{name}:-" not in text
        assert re.search(rf"^\s*{name}: (?!\$\{{)\S", text, re.MULTILINE) is None


def test_only_the_web_server_is_published_and_on_loopback(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:8000:8000"]}
    assert services["postgres"]["networks"] == services["redis"]["networks"] == ["data"]


def test_every_service_is_read_only_and_comes_back_after_a_crash(services: dict[str, Any]) -> None:
    assert {service["read_only"] for service in services.values()} == {"true"}
    restarts = {name: service["restart"] for name, service in services.items()}
    assert restarts.pop("migrate") == "no"
    assert set(restarts.values()) == {"unless-stopped"}


def test_there_are_two_workers_and_one_beat(services: dict[str, Any]) -> None:
    assert services["worker"]["deploy"]["replicas"] == "2"
    assert "deploy" not in services["beat"]


def test_a_worker_may_end_its_batch_before_it_is_killed(services: dict[str, Any]) -> None:
    from django.conf import settings

    assert int(services["worker"]["stop_grace_period"].rstrip("s")) > settings.BATCH_SECONDS


def test_the_app_waits_for_the_migration_and_the_migration_for_the_database(
    services: dict[str, Any],
) -> None:
    for name in ("web", "worker", "beat"):
        needs = services[name]["depends_on"]
        assert needs["migrate"]["condition"] == "service_completed_successfully"
        assert needs["redis"]["condition"] == "service_healthy"
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_every_setting_reaches_the_containers(services: dict[str, Any]) -> None:
    """Those of the embedded first run are left out on purpose."""
    text = (ROOT / "config/settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'environment\.\w+\(\s*"(\w+)"', text))
    embedded = {"DEBUG", "HONGYAN_EMBEDDED", "HONGYAN_SANDBOX", "HONGYAN_VAR"}
    for name in OURS:
        assert set(services[name]["environment"]) == read - embedded


def test_the_image_holds_no_key_and_no_database() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    taken = {line[1:] for line in ignored if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile(), re.MULTILINE)
    assert {name for names in copied for name in names.split()} == taken
    assert not {name for name in taken if name.startswith((".env", "var", ".git"))}


def test_the_image_runs_as_nobody_in_particular() -> None:
    *_, last_stage = dockerfile().split("\nFROM ")
    assert re.findall(r"^USER (\S+)$", last_stage, re.MULTILINE) == ["hongyan"]
    assert "--require-hashes" in dockerfile()


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_environment_of_this_test_is_no_part_of_it() -> None:
    """A variable of the shell that runs the tests must not hide one that is missing."""
    assert "SECRET_KEY" in os.environ
    with pytest.raises(MissingVariable):
        load(FILE, {})
