"""Attach: a row becomes its person's own encrypted file.

The message's text then holds none of the sheet's cells (compose), so that the password protects what
it is there to protect. A row without a password fails alone, and names the cell.
"""

from __future__ import annotations

from collections.abc import Callable

from campaigns.documents.password_rule import PasswordFault, PasswordRule
from campaigns.documents.slip import DocumentFault, Line, Slip
from campaigns.mailer.attachment import Attachment, file_name
from campaigns.models import Campaign, Delivery, WorkbookRow
from campaigns.models.campaign import AttachmentKind
from campaigns.pipeline.sheet_rows import SheetRows, Unsendable

# What the files of one message may take before base64; most servers stop at 20 to 50 MB.
LARGEST = 10 * 1024 * 1024
FOOTER = "工资信息属个人隐私，请勿转发。"

# PasswordFault.kind → Delivery.reason
NO_PASSWORD = {
    "missing": "no_password",
    "short": "password_short",
    "characters": "password_characters",
}


def rule_of(campaign: Campaign) -> PasswordRule:
    return PasswordRule(campaign.password_column, campaign.password_tail)


def hint_of(campaign: Campaign) -> str:
    """What the message says about the password; "" without an attachment."""
    if not campaign.attachment:
        return ""
    return campaign.password_hint or rule_of(campaign).hint()


def _maker(kind: str) -> tuple[Callable[[Slip, str], bytes], str]:
    """What makes this kind of file, and its media type.

    Loaded with the first file: its libraries take 25 MB, which most processes never need.
    """
    if kind == AttachmentKind.PDF:
        from campaigns.documents import payslip_pdf

        return payslip_pdf.payslip_pdf, payslip_pdf.MEDIA_TYPE
    from campaigns.documents import payslip_xlsx

    return payslip_xlsx.payslip_xlsx, payslip_xlsx.MEDIA_TYPE


class Attacher:
    """Makes the files of one campaign's messages."""

    def __init__(self, campaign: Campaign, rows: SheetRows) -> None:
        self.campaign, self.rows, self.rule = campaign, rows, rule_of(campaign)
        self.make, self.media_type = _maker(campaign.attachment)
        index = rows.index(self.rule.column)
        if index is None:
            raise Unsendable("no_password_column", self.rule.column)
        self.column = index

    def files(self, delivery: Delivery) -> list[Attachment]:
        """One file a row, each with its own row's password: two people may share a mailbox.

        Raises Unsendable and ContentDestroyed.
        """
        rows = self.rows.of(delivery)
        return [self._file(row, part if len(rows) > 1 else 0) for part, row in enumerate(rows, 1)]

    def password(self, row: WorkbookRow) -> str:
        """What opens this row's files; raises Unsendable with the cell that has none."""
        try:
            return self.rule.password(self.rows.values(row).get(self.rule.column))
        except PasswordFault as fault:
            place = self.rows.place(row, self.column)
            raise Unsendable(NO_PASSWORD[fault.kind], place) from fault

    def _file(self, row: WorkbookRow, part: int) -> Attachment:
        password = self.password(row)
        try:
            data = self.make(self.slip(row), password)
        except DocumentFault as fault:
            place = f"{self.rows.workbook.sheet}!{row.number}"
            raise Unsendable(f"document_{fault.kind}", place) from fault
        stem = f"{self.campaign.name}_{self.rows.name(row)}{f'_{part}' if part else ''}"
        return Attachment(file_name(stem, self.campaign.attachment), self.media_type, data)

    def slip(self, row: WorkbookRow) -> Slip:
        """The row as the layout, or without one the ready-made template, draws it: empty cells left out, 实发 in bold.

        The password's own column stays out: the employee knows it, and others need not.
        """
        drawn = self.rows.drawn
        lines = [
            Line(
                cell.label,
                cell.value,
                cell.group,
                strong=cell.strong if drawn else "实发" in cell.name,
            )
            for cell in self.rows.cells(row)
            if (drawn or cell.value) and cell.name != self.rule.column
        ]
        look = {"company": self.campaign.from_name}
        if drawn is not None:
            company = drawn.layout.company or self.campaign.from_name
            look = {
                "company": company,
                "note": drawn.layout.note,
                "soft": drawn.layout.palette.soft,
            }
        return Slip(
            title=self.campaign.name,
            name=self.rows.name(row),
            lines=lines,
            footer=FOOTER,
            logo=drawn.logo if drawn else b"",
            **look,
        )
