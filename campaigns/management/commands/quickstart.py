"""`manage.py quickstart`: one process on SQLite with everything, or with --check the main job once."""

from __future__ import annotations

import os
import shutil
import sys
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connections

from campaigns.quickstart import check as main_job
from campaigns.quickstart import demo
from campaigns.quickstart.one_process import PortTaken, wait_for_the_end, web, worker_and_beat
from campaigns.quickstart.payroll import demo_payroll
from campaigns.sandbox.sandbox import MailSandbox, SandboxError
from config.embedded import DEFAULT_URL

HOST, PORT = "127.0.0.1", 8000
# Slow enough to watch, quick enough for 300 rows within the check's minute.
PER_SECOND_DEMO, PER_SECOND_CHECK = 5, 40


class Command(BaseCommand):
    help = "Starts everything in one process: web, worker, beat and a mail sandbox, on SQLite."
    # The database may not be there yet.
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=PORT, help=f"default {PORT}")
        parser.add_argument("--check", action="store_true", help="the main job once, as JSON")
        parser.add_argument("--workbook", type=Path, help="with --check: the payroll to send")
        parser.add_argument("--keep", type=Path, help="with --check: keep what was sent there")

    def handle(self, **options: Any) -> None:
        if not settings.EMBEDDED:
            raise CommandError("quickstart 只用于内置模式：请不要设置 DATABASE_URL。")
        try:
            if options["check"]:
                self._check(options["workbook"], options["keep"])
            else:
                self._serve(options["port"])
        except (SandboxError, main_job.CheckFailed) as error:
            raise CommandError(str(error)) from error
        except PortTaken as error:
            raise CommandError(
                f'端口 {error} 已被占用。请换一个：make quickstart ARGS="--port 8001"'
            ) from error
        except (OSError, OperationalError) as error:
            raise CommandError(_disk_sentence(error)) from error

    def _serve(self, port: int) -> None:
        with ExitStack() as stack:
            actual = stack.enter_context(web(HOST, port))
            url = f"http://{HOST}:{actual}/"
            if settings.PUBLIC_URL == DEFAULT_URL:
                # Links in the mails lead here; all of it is this one process.
                settings.PUBLIC_URL = url.rstrip("/")
            seeded, _sandbox = self._prepare(stack, PER_SECOND_DEMO)
            stack.enter_context(worker_and_beat())
            self._demo_workbook()
            self.stdout.write(
                f"\n  鸿雁 Hongyan  {url}\n  登录 sign in   {demo.EMAIL}  {seeded.password}\n"
                f"  邮件沙箱 inbox  {url}sandbox/\n  示例工资表     {self._payroll}\n"
                "  停止 stop      Ctrl-C\n\n"
            )
            self.stdout.flush()
            wait_for_the_end()
            self.stdout.write("\n正在停止……")

    def _prepare(self, stack: ExitStack, per_second: int) -> tuple[demo.Demo, MailSandbox]:
        call_command("migrate", verbosity=0)
        folder = settings.VAR_DIR
        sandbox = stack.enter_context(MailSandbox(folder / "sandbox", bounce_mailbox=demo.BOUNCES))
        seeded = demo.seed(folder, per_second=per_second)
        demo.connect(seeded, sandbox, sandbox.ports)
        return seeded, sandbox

    @property
    def _payroll(self) -> Path:
        return settings.VAR_DIR / "示例工资表.xlsx"

    def _demo_workbook(self) -> None:
        """A payroll to upload by hand, beside the database."""
        if not self._payroll.exists():
            self._payroll.write_bytes(demo_payroll(30, domain=demo.EMPLOYEES))

    def _check(self, workbook: Path | None, kept: Path | None) -> None:
        try:
            with ExitStack() as stack:
                seeded, sandbox = self._prepare(stack, PER_SECOND_CHECK)
                stack.enter_context(worker_and_beat())
                result, faults = main_job.check(seeded, sandbox, workbook)
                if kept:
                    main_job.keep(kept, sandbox)
        finally:
            connections.close_all()
            if folder := os.environ.get("HONGYAN_CHECK_FOLDER"):
                shutil.rmtree(folder, ignore_errors=True)
        self.stdout.write(main_job.as_json(result))
        for fault in faults:
            self.stderr.write(fault)
        if faults:
            sys.exit(1)


def _disk_sentence(error: OSError | OperationalError) -> str:
    text = str(error)
    if getattr(error, "errno", None) == 28 or "disk is full" in text or "disk I/O" in text:
        return f"磁盘已满，无法写入 {settings.VAR_DIR}。请腾出空间后再试。"
    return f"无法使用 {settings.VAR_DIR}：{text}。"
