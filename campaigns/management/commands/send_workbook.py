"""`manage.py send_workbook`: the main job from a shell, as people did it with VBA and Outlook.

The workers of the installation do the sending; this uploads, checks, launches and watches.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from campaigns.pipeline import control, counts, figures, from_shell, load, preflight
from campaigns.pipeline.preflight_finding import BLOCK
from campaigns.problem_texts import place, problem_sentence, reject_sentence
from campaigns.reasons import sentence
from campaigns.views.findings import shown

READING_SECONDS = 600


class Command(BaseCommand):
    help = "Sends a payroll workbook: one private message for each row."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--template", required=True, help="the name of a layout or a payslip template"
        )
        parser.add_argument("--relay", required=True, help="a relay's name")
        parser.add_argument("--sheet", help="the sheet to read, where there are several")
        parser.add_argument(
            "--dry-run", action="store_true", help="check and compose, send nothing"
        )
        parser.add_argument(
            "--limit", type=int, help="only the first rows (with --dry-run, --to-self)"
        )
        parser.add_argument("--to-self", metavar="ADDRESS", help="tests to this address alone")
        parser.add_argument(
            "--user", metavar="EMAIL", help="whose payroll it is; default: the only HR"
        )
        parser.add_argument(
            "--from", dest="sender", help="from-address; default: the relay's first"
        )
        parser.add_argument("--duplicates", choices=["both", "merged", "stop"], default="stop")
        parser.add_argument("--name", help="the campaign's name; default: the file's")

    def handle(self, **options: Any) -> None:
        if options["limit"] is not None and not (options["dry_run"] or options["to_self"]):
            raise CommandError(_("--limit 只用于 --dry-run 或 --to-self：正式发送总是发给每一行。"))
        try:
            by = from_shell.party(
                relay=options["relay"], template=options["template"], email=options["user"]
            )
            sender = from_shell.sender_of(by.relay, options["sender"])
        except from_shell.Unknown as unknown:
            raise CommandError(_unknown(unknown)) from unknown
        book = self._read(by, options["file"], options["sheet"])
        campaign = from_shell.campaign_of(
            by,
            book,
            name=options["name"] or options["file"].stem,
            sender=sender,
            duplicates=options["duplicates"],
        )
        self._act(by, campaign, options)

    def _read(self, by: from_shell.Party, path: Path, sheet: str | None) -> Any:
        try:
            data = path.read_bytes()
            book = load.upload(
                team=by.relay.team,
                user=by.user,
                purpose="payslip",
                name=path.name,
                data=data,
                sheet=sheet,
            )
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        except load.UploadRefused as refused:
            raise CommandError(_("文件是空的，或超过了大小限制。")) from refused
        self._wait_until_read(book)
        if book.state == "rejected":
            raise CommandError(
                reject_sentence(book.reject_kind, book.reject_detail, book.reject_text)
            )
        if book.state == "choosing":
            raise CommandError(_("请用 --sheet 选择工作表：%s") % "、".join(book.sheets))
        for problem in book.findings.get("problems", []):
            self.stderr.write(f"{place(problem)} {problem_sentence(problem)}".strip())
        if not load.confirm(book, by.user, reading=book.reading):
            raise CommandError(_("工作簿里没有可用的收件人。"))
        figures.make(book.pk)
        book.refresh_from_db()
        return book

    def _wait_until_read(self, book: Any) -> None:
        """Reads it here, unless a worker was quicker."""
        deadline = time.monotonic() + READING_SECONDS
        load.read(book.pk)
        book.refresh_from_db()
        while book.state in ("uploaded", "reading"):
            if time.monotonic() > deadline:
                raise CommandError(_("工作簿没有按时读完。"))
            time.sleep(0.5)
            book.refresh_from_db()

    def _act(self, by: from_shell.Party, campaign: Any, options: dict[str, Any]) -> None:
        samples = from_shell.samples(campaign.workbook, options["limit"])
        if options["dry_run"]:
            faults = from_shell.rehearse(campaign, samples)
            blocking = self._preflight(campaign)
            from_shell.drop(campaign)
            self._report(samples, faults)
            if faults or blocking:
                raise CommandError(_("没有发送。请先修正以上问题。"))
            return
        if options["to_self"]:
            number = from_shell.send_tests(campaign, samples, options["to_self"])
            self.stdout.write(_("%(n)d 封测试邮件已交给 worker。") % {"n": number})
            self._watch(lambda: from_shell.tests_open(campaign) == 0, campaign)
            return
        if self._preflight(campaign):
            raise CommandError(_("没有发送。草稿已保留，可在页面上修正后再启动。"))
        if not control.launch(campaign, by.user):
            raise CommandError(_("没有发送。草稿已保留，可在页面上修正后再启动。"))
        self._watch(lambda: self._finished(campaign), campaign)

    def _preflight(self, campaign: Any) -> bool:
        """Prints what blocks, and totals that differ; True if anything blocks."""
        every = preflight.check(campaign)
        blocking = [found for found in every if found.severity == BLOCK]
        for found in every:
            if found.severity != BLOCK and found.kind != "totals_differ":
                continue
            said = shown(found, campaign, frozenset())
            self.stderr.write(" ".join([str(said["text"]), *said["places"]]))
        return bool(blocking)

    def _report(self, samples: list[Any], faults: list[tuple[int, str, str]]) -> None:
        for row, reason, detail in faults:
            self.stderr.write(f"{row}: {sentence(reason)} {detail}".strip())
        self.stdout.write(
            _("%(all)d 行，%(good)d 行可以发送。")
            % {"all": len(samples), "good": len(samples) - len(faults)}
        )

    def _finished(self, campaign: Any) -> bool:
        campaign.refresh_from_db(fields=["state"])
        return campaign.state in ("finished", "cancelled")

    def _watch(self, done: Any, campaign: Any) -> None:
        """Until it is done, or Ctrl-C: the workers go on without us."""
        try:
            while not done():
                time.sleep(1)
        except KeyboardInterrupt:
            self.stdout.write(_("不再等待；worker 会继续发送。"))
        for state, number in sorted(counts.recount(campaign.pk).items()):
            if number:
                self.stdout.write(f"{state}: {number}")


def _unknown(unknown: from_shell.Unknown) -> str:
    sentences = {
        "relay": _("没有名为“%s”的发信账号。"),
        "relay_ambiguous": _("有多个团队的发信账号叫“%s”。"),
        "template": _("没有名为“%s”的工资条模板或排版。"),
        "user": _("没有地址为“%s”的人事成员。"),
        "user_ambiguous": _("有多位人事成员，请用 --user 指明。%s"),
        "from_address": _("发件地址“%s”不可用，请用 --from 指明。"),
    }
    return sentences[unknown.kind] % unknown.name
