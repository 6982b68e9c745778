"""Log lines: nobody can forge one, and none quotes a value."""

from __future__ import annotations

import logging
import sys

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from config.log_format import QuietFormatter

CANARY = "8888.88"


def line(message: str, *args: object, **fields: object) -> str:
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, message, args or None, None)
    record.__dict__.update(fields)
    return QuietFormatter("{levelname} {name}: {message}", style="{").format(record)


def raised(error: BaseException, cause: BaseException | None = None) -> dict[str, object]:
    try:
        raise error from cause
    except BaseException:
        return {"exc_info": sys.exc_info()}


@pytest.mark.parametrize("end", ["\n", "\r", "\x0b", "\x85", "\u2028", "\x1b[2K", "\0"])
def test_a_value_cannot_begin_a_line_of_its_own(end: str) -> None:
    said = line("Search for %s", f"a{end}ERROR root: all is lost")
    assert len(said.splitlines()) == 1
    assert said.isprintable()


def test_an_exception_is_named_and_placed_but_not_quoted() -> None:
    cause = KeyError(f"row {CANARY}")
    said = line("It broke", **raised(ValueError(f"bad value {CANARY}"), cause))
    assert CANARY not in said
    assert said.splitlines()[-1] == "ValueError"
    assert "KeyError" in said
    assert "test_log_format.py" in said


def test_what_speaks_of_the_installation_is_said() -> None:
    said = line("It broke", **raised(ImproperlyConfigured("Set SECRET_KEY.")))
    assert "Set SECRET_KEY." in said


def test_a_task_that_failed_does_not_quote_either() -> None:
    """As celery.app.trace writes it."""
    said = line(
        "Task %(name)s[%(id)s] raised unexpected: %(exc)s",
        {
            "name": "t",
            "id": "1",
            "exc": f"ValueError('{CANARY}')",
            "args": f"[{CANARY}]",
            "traceback": CANARY,
        },
        name="celery.app.trace",
        **raised(ValueError(CANARY)),
    )
    assert CANARY not in said
    assert "ValueError" in said


def test_every_handler_of_the_site_writes_so() -> None:
    for handler in settings.LOGGING["handlers"].values():
        formatter = settings.LOGGING["formatters"][handler["formatter"]]
        assert formatter["()"] == "config.log_format.QuietFormatter"
