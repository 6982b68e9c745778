"""Settings come from the environment: typed, from files too, and loud about what is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import environment


def test_a_secret_may_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("from a file\n", encoding="utf-8")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "key"))
    assert environment.text("THING") == "from a file"
    monkeypatch.setenv("THING", "said outright")
    assert environment.text("THING") == "said outright"


def test_a_missing_variable_and_a_missing_file_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"Set THING .*\.env\.example"):
        environment.text("THING")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(ImproperlyConfigured, match=r"THING_FILE: .*nowhere"):
        environment.text("THING")


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("Yes", True), ("off", False), ("", False)]
)
def test_it_reads_flags(text: str, value: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", text)
    assert environment.flag("THING", not value) is value


def test_it_rejects_what_is_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", "maybe")
    with pytest.raises(ImproperlyConfigured, match="neither true nor false"):
        environment.flag("THING")
    with pytest.raises(ImproperlyConfigured, match="no whole number"):
        environment.number("THING", 3)


def test_a_list_has_commas_and_no_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", " a, ,b ,")
    assert environment.items("THING") == ["a", "b"]
    assert environment.items("OTHER") == []
    with pytest.raises(ImproperlyConfigured):
        environment.items("OTHER", None)


def test_name_servers_are_addresses_with_or_without_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", "223.5.5.5, 127.0.0.1:5353,2400:3200::1")
    assert environment.name_servers("THING") == [
        ("223.5.5.5", 53),
        ("127.0.0.1", 5353),
        ("2400:3200::1", 53),
    ]
    assert environment.name_servers("OTHER") == []


@pytest.mark.parametrize("value", ["dns.example.com", "1.2.3", "127.0.0.1:x", "::1:99999:"])
def test_a_name_server_that_is_no_address_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("THING", value)
    with pytest.raises(ImproperlyConfigured, match="THING"):
        environment.name_servers("THING")


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "Set SECRET_KEY (or SECRET_KEY_FILE). See .env.example."),
        ({"SECRET_KEY": "x" * 50, "DEBUG": "maybe"}, "DEBUG='maybe' is neither true nor false."),
    ],
)
def test_a_start_without_its_settings_ends_with_one_sentence(
    variables: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate"],
        cwd=root,
        env={"HONGYAN_VAR": str(tmp_path), "PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr == f"hongyan: {sentence}\n"
