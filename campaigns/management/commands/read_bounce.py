"""`manage.py read_bounce FILE…`: what each message is and whom it concerns, a JSON line each."""

import io
import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from campaigns.mailer import bounce
from campaigns.mailer.bounces.parts import MAX_BYTES


class Command(BaseCommand):
    """The output is a contract (docs: read_bounce); sentences go to stderr."""

    help = "Says of each message what it is and whom it concerns, as a JSON line."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):  # JSON in UTF-8, whatever the locale
            sys.stdout.reconfigure(encoding="utf-8")
        unreadable = False
        for name in options["files"]:
            try:
                with Path(name).open("rb") as file:
                    raw = file.read(MAX_BYTES)
            except OSError as error:
                unreadable = True
                reason = error.strerror or error
                self.stderr.write(
                    _("Cannot read {file}: {reason}").format(file=name, reason=reason)
                )
                continue
            self.stdout.write(self._line(name, bounce.read(raw)))
        if unreadable:
            raise SystemExit(2)

    @staticmethod
    def _line(name: str, report: bounce.Report) -> str:
        recipients = [asdict(recipient) for recipient in report.recipients]
        line = {"file": name, "kind": report.kind, "recipients": recipients}
        text = json.dumps(line, ensure_ascii=False)
        # A file name that is no UTF-8 can only be printed escaped.
        return text if text.isascii() or _is_utf8(text) else json.dumps(line)


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
