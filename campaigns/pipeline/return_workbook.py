"""Return: HR's own workbook with what became of each row beside it, made by a worker.

The file goes sealed from row to row, through a child process (workbooks/annotate): it is never clear on
a disk. It is destroyed with the content of the campaign's workbook.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import User
from campaigns.models import Campaign, ReturnedWorkbook, WorkbookFile
from campaigns.models.content import ContentDestroyed
from campaigns.models.delivery import Delivery, DeliveryState
from campaigns.models.signals import announce
from campaigns.pipeline.delivery_words import Reading, Told, told
from campaigns.problem_texts import problem_sentence
from campaigns.reasons import sentence
from campaigns.workbooks.file_child import Notes, annotate_in_child
from campaigns.workbooks.problems import ProblemKind, RejectKind, WorkbookRejected
from campaigns.workbooks.results import Limits
from campaigns.workbooks.words import OWN_COLUMN

LEASE = timedelta(minutes=10)
_MOST_TRIES = 3
_RED = {
    DeliveryState.REFUSED,
    DeliveryState.FAILED,
    DeliveryState.EXPIRED,
    DeliveryState.CANCELLED,
}
# Problems of a cell on account of which its row has no recipient, or none that can be sent.
_TOLD = {
    ProblemKind.NO_ADDRESS,
    ProblemKind.BAD_ADDRESS,
    ProblemKind.FORMULA_WITHOUT_VALUE,
    ProblemKind.ERROR_VALUE,
    ProblemKind.LOST_DIGITS,
    ProblemKind.CANNOT_SHOW,
}


def begin(campaign: Campaign, user: User, language: str) -> bool:
    """Asks for the file, in place of an earlier one; False where one is on its way already."""
    try:
        with transaction.atomic():
            ReturnedWorkbook.objects.filter(campaign=campaign, ended_at__isnull=False).delete()
            row = ReturnedWorkbook.objects.create(
                team_id=campaign.team_id, campaign=campaign, asked_by=user, language=language
            )
            announce("return_workbook", row.pk)
    except IntegrityError:
        return False
    return True


def _waiting() -> QuerySet[ReturnedWorkbook]:
    free = Q(lease_until=None) | Q(lease_until__lt=timezone.now())
    return ReturnedWorkbook.objects.filter(free, ended_at=None)


def waiting() -> list[int]:
    """Files that no living worker makes."""
    return list(_waiting().values_list("pk", flat=True))


def run(returned_id: int) -> None:
    """Makes one file; one that cost several workers their life is given up."""
    until = timezone.now() + LEASE
    if not _waiting().filter(pk=returned_id).update(lease_until=until, tries=F("tries") + 1):
        return
    rows = ReturnedWorkbook.objects.select_related("campaign__workbook__data_key", "campaign__team")
    returned = rows.get(pk=returned_id)
    if returned.tries > _MOST_TRIES:
        _end(returned, failed_kind=RejectKind.TIMEOUT.value)
        return
    workbook = returned.campaign.workbook
    try:
        if workbook is None:
            raise ContentDestroyed
        zone = returned.campaign.team.zone
        with translation.override(returned.language), timezone.override(zone):
            suffix, content = _annotated(returned.campaign)
        _end(returned, suffix=suffix, sealed=workbook.data_key.seal(content))
    except WorkbookRejected as rejected:
        _end(returned, failed_kind=rejected.kind.value)
    except (ContentDestroyed, WorkbookFile.DoesNotExist):
        ReturnedWorkbook.objects.filter(pk=returned.pk).delete()


def _end(returned: ReturnedWorkbook, **fields: Any) -> None:
    """Only by the worker that holds the lease it took."""
    mine = ReturnedWorkbook.objects.filter(pk=returned.pk, tries=returned.tries, ended_at=None)
    mine.update(ended_at=timezone.now(), lease_until=None, **fields)


def _annotated(campaign: Campaign) -> tuple[str, bytes]:
    workbook = campaign.workbook
    assert workbook is not None
    file = WorkbookFile.objects.get(workbook=workbook)
    lines = _Lines(campaign)
    notes = Notes(
        sheet=workbook.sheet,
        header_row=workbook.header_rows[-1] if workbook.header_rows else None,
        headers=[f"{OWN_COLUMN}{name}" for name in lines.headers],
        rows=lines.rows,
        red=frozenset(lines.red),
    )
    return annotate_in_child(workbook.data_key.open(file.sealed), notes, Limits())


class _Lines:
    """What stands beside each row of the sheet. Of a row with several messages each has a line."""

    def __init__(self, campaign: Campaign) -> None:
        self.headers = [_("状态"), _("地址"), _("时间"), _("原因"), _("退信")]
        self._asks = bool(campaign.confirm_days)
        if self._asks:
            self.headers += [_("打开"), _("确认"), _("异议")]
        self.rows: dict[int, list[str]] = {}
        self.red: set[int] = set()
        self._delivered(campaign)
        self._not_sent(campaign)

    def _delivered(self, campaign: Campaign) -> None:
        lines: dict[int, list[list[str]]] = defaultdict(list)
        for delivery, words in told(campaign, Reading(True, sentence)):
            if delivery.row_number is None:
                continue
            lines[delivery.row_number].append(self._line(delivery, words))
            if delivery.state in _RED or words.bounce:
                self.red.add(delivery.row_number)
        for number, several in lines.items():
            self.rows[number] = [
                "\n".join(cells).strip("\n") for cells in zip(*several, strict=True)
            ]

    def _line(self, delivery: Delivery, words: Told) -> list[str]:
        why = " ".join(part for part in (words.why, words.reply) if part)
        if delivery.state == DeliveryState.ACCEPTED:
            why = words.why
        line = [words.state, delivery.address, words.time, why, words.bounce]
        return line + (list(words.answers[1:4]) if self._asks else [])

    def _not_sent(self, campaign: Campaign) -> None:
        """Rows that had no recipient: which cell is to blame, so that it can be mended."""
        workbook = campaign.workbook
        assert workbook is not None
        findings = workbook.findings
        reasons: dict[int, list[str]] = defaultdict(list)
        for problem in findings.get("problems", ()):
            if problem["kind"] in _TOLD and problem["row"] is not None:
                reasons[problem["row"]].append(problem_sentence(problem))
        match = findings.get("match") or {}
        for one in (*match.get("unmatched", ()), *match.get("ambiguous", ())):
            reasons[one["row"]].append(_("联系人里没有找到这一行的地址。"))
        for number, several in reasons.items():
            if number not in self.rows:
                self._blank(number, _("没有发送"), several)
                self.red.add(number)

    def _blank(self, number: int, state: str, reasons: Iterable[str]) -> None:
        line = [state, "", "", " ".join(reasons), ""]
        self.rows[number] = line + [""] * (len(self.headers) - len(line))
