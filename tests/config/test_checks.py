"""`manage.py check --deploy` stops what must not run in production."""

from __future__ import annotations

from typing import Any

import pytest

from config.checks import production


def test_a_production_as_env_example_makes_it_passes(settings: Any) -> None:
    settings.DEBUG = False
    assert production() == []


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("DEBUG", True, "hongyan.E001"),
        ("EMBEDDED", True, "hongyan.E002"),
        ("ALLOWED_HOSTS", [], "hongyan.E003"),
        ("ALLOWED_HOSTS", ["*"], "hongyan.E003"),
        ("PUBLIC_URL", "http://hongyan.example", "hongyan.W001"),
    ],
)
def test_it_finds(name: str, value: Any, found: str, settings: Any) -> None:
    settings.DEBUG = False
    setattr(settings, name, value)
    assert [message.id for message in production()] == [found]
    assert production()[0].is_serious() is found.startswith("hongyan.E")
