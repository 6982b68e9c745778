"""`manage.py check_domain DOMAIN [--relay NAME]`: the DNS doctor in words. Exit status: 0 nothing to mend, 1 findings,
2 a wrong argument. Nothing is stored."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from campaigns.domain_texts import part_label, sentence
from campaigns.mailer.domain.doctor import Report
from campaigns.mailer.domain.findings import DomainFinding, Severity
from campaigns.pipeline import domain_check


class Command(BaseCommand):
    """Notices alone leave the exit status at 0; what could not be checked does not."""

    help = "Checks SPF, DKIM, DMARC with alignment, MX and PTR of a domain, for each relay that may send from it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("domain", metavar="DOMAIN")
        parser.add_argument("--relay", metavar="NAME", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        domain = domain_check.domain_as_labels(options["domain"])
        if not domain:
            raise CommandError(_("“%s”不是域名。") % options["domain"], returncode=2)
        relays = domain_check.relays_for(domain, options["relay"])
        if options["relay"] and not relays:
            raise CommandError(_("没有名为“%s”的发信账号。") % options["relay"], returncode=2)
        is_fine = True
        for relay in relays or [None]:
            report = domain_check.examine(domain, relay, relay.team if relay else None)
            through = f"{relay.team} · {relay}" if relay else _("不经发信账号")
            self.stdout.write(f"{domain} ({through})")
            for line in _lines(report):
                self.stdout.write(f"  {line}")
            is_fine = is_fine and all(f.severity is Severity.NOTICE for f in report.findings)
        if not is_fine:
            raise SystemExit(1)


def _lines(report: Report) -> Iterator[str]:
    if report.facts.get("spf_record"):
        lookups = _("查询 DNS %s 次，最多 10 次") % report.facts["spf_lookups"]
        yield f"SPF: {report.facts['spf_record']} ({lookups})"
    if report.facts.get("dmarc_policy"):
        yield f"DMARC: {report.facts['dmarc_policy']} (_dmarc.{report.facts['dmarc_at']})"
    if not report.findings:
        yield _("没有发现问题。")
    for finding in report.findings:
        yield from _said(finding)


def _said(finding: DomainFinding) -> Iterator[str]:
    marks = {
        Severity.ERROR: _("错误"),
        Severity.WARNING: _("警告"),
        Severity.NOTICE: _("提示"),
        Severity.UNCHECKED: _("未能检查"),
    }
    stored = finding.as_json()
    yield f"[{marks[finding.severity]}] {part_label(finding.part)}: {sentence(stored)}"
    if finding.record is not None:
        yield f"    {finding.record.name}  {finding.record.type}  {finding.record.value}"
