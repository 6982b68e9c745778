"""Log lines that cannot be forged and quote nothing: the text of an exception may hold a row's values.

PostgreSQL names the failing row, a parser the text that it choked on, Celery the repr of an exception.
A line says where it happened and the class, which is what finds the cause (ASVS 16.2.5, 16.4.1).
"""

from __future__ import annotations

import logging
import re
import traceback
from types import TracebackType
from typing import Any

# What could end a line, or write over it on a terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
# Their texts speak of the installation, never of a value.
_HARMLESS = frozenset(
    {"ImproperlyConfigured", "ImportError", "ModuleNotFoundError", "TemplateDoesNotExist"}
)
Raised = tuple[type[BaseException], BaseException, TracebackType | None]


class QuietFormatter(logging.Formatter):
    """The message on one line; an exception by its frames and class alone."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name.startswith("celery.") and isinstance(record.args, dict):
            record = _without_quotes(record)
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:
        return _CONTROL.sub(_escaped, super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        raised: Raised = ei
        lines: list[str] = []
        for error in _chain(raised[1]):
            lines += traceback.format_tb(error.__traceback__)
            lines.append(f"{_named(error)}\n")
        return "".join(lines).rstrip("\n")


def _chain(error: BaseException) -> list[BaseException]:
    """The first cause first, as a traceback shows them."""
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.insert(0, current)
        hidden = None if current.__suppress_context__ else current.__context__
        current = current.__cause__ or hidden
    return found


def _named(error: BaseException) -> str:
    name = type(error).__name__
    return f"{name}: {_CONTROL.sub(_escaped, str(error))}" if name in _HARMLESS else name


def _without_quotes(record: logging.LogRecord) -> logging.LogRecord:
    """Celery's line about a task that failed, which puts the exception's repr into the message."""
    quiet = logging.makeLogRecord(record.__dict__)
    args: dict[str, Any] = dict(record.args)  # type: ignore[arg-type]
    if "exc" in args:
        args["exc"] = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else "…"
    for name in ("args", "kwargs", "return_value", "traceback"):
        if name in args:
            args[name] = "…"
    quiet.args = args
    return quiet


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
