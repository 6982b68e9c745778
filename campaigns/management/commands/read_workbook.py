"""`manage.py read_workbook FILE`: what a workbook yields, as one JSON object (docs: the README)."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from campaigns.workbooks import WorkbookRejected
from campaigns.workbooks.child import read_in_child


class Command(BaseCommand):
    help = "Reads a payroll or recipient workbook and prints what it yields as JSON."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--sheet", help="the sheet to read; a hidden one only if named")
        parser.add_argument(
            "--password-stdin", action="store_true", help="take the password from standard input"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        password = sys.stdin.readline().rstrip("\r\n") if options["password_stdin"] else None
        try:
            reading = read_in_child(options["file"], sheet=options["sheet"], password=password)
        except WorkbookRejected as error:
            sys.stderr.write(error.sentence + "\n")
            sys.exit(2)
        sys.stdout.buffer.write(json.dumps(reading.as_json(), ensure_ascii=False).encode() + b"\n")
        sys.stdout.flush()
