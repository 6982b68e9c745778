"""Workbook, its file and its rows: what was uploaded, and what a reading of it found."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Team
from campaigns.models.contact import ContactList
from campaigns.models.content import ContentGrant, DataKey


class Purpose(models.TextChoices):
    """What the rows are for; a payroll's content is for its HR alone."""

    PAYSLIP = "payslip", _("工资条")
    LIST = "list", _("名单")


class ReadingState(models.TextChoices):
    """uploaded → reading → choosing | read | rejected; read → confirmed (by a person)."""

    UPLOADED = "uploaded", _("等待读取")
    READING = "reading", _("正在读取")
    CHOOSING = "choosing", _("请选择工作表")
    READ = "read", pgettext_lazy("workbook", "待确认")
    REJECTED = "rejected", _("无法读取")
    CONFIRMED = "confirmed", _("已确认")


class Workbook(models.Model):
    """Rows of the visible reading have `reading` equal to this row's; others are being written."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="workbooks")
    purpose = models.CharField(_("用途"), max_length=10, choices=Purpose.choices)
    name = models.CharField(_("文件名"), max_length=255)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    data_key = models.OneToOneField(DataKey, models.PROTECT, related_name="workbook")
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    uploaded_at = models.DateTimeField(auto_now_add=True)

    state = models.CharField(
        max_length=12, choices=ReadingState.choices, default=ReadingState.UPLOADED
    )
    # What a person corrected: sheet, header_rows, address_column, name_column, taken/left rows.
    choices = models.JSONField(default=dict)
    reading = models.PositiveIntegerField(default=0)
    # Each reader takes the next number: one whose lease ended can neither write nor show its rows.
    readings_begun = models.PositiveIntegerField(default=0)
    readers_lost = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0)

    # The campaign whose failed rows this file puts right: only those are taken from it.
    repairs = models.ForeignKey(
        "campaigns.Campaign", models.SET_NULL, null=True, blank=True, related_name="repairs"
    )

    sheet = models.CharField(max_length=255, blank=True)
    sheets = models.JSONField(default=list)
    header_rows = models.JSONField(default=list)
    columns = models.JSONField(default=list)
    address_column = models.PositiveIntegerField(null=True, blank=True)
    name_column = models.PositiveIntegerField(null=True, blank=True)
    row_count = models.PositiveIntegerField(default=0)
    # A list's people lie in blocks until a campaign wants each as a row (pipeline/unfold).
    folded = models.BooleanField(default=False)
    problem_count = models.PositiveIntegerField(default=0)
    # invalid, duplicates, skipped rows, problems, totals, hidden parts: sealed JSON.
    sealed_findings = models.BinaryField(null=True)
    # Sums and extremes of a payroll's columns (pipeline/figures), which a worker adds after a reading.
    sealed_figures = models.BinaryField(null=True)
    figures_due = models.BooleanField(default=False)
    reject_kind = models.CharField(max_length=30, blank=True)
    reject_detail = models.CharField(max_length=200, blank=True)
    reject_text = models.CharField(max_length=300, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )

    # A confirmed list on its way into a ContactList: rows (or blocks) up to `import_after` are there.
    import_list = models.ForeignKey(
        ContactList, models.SET_NULL, null=True, blank=True, related_name="imports"
    )
    import_lease_until = models.DateTimeField(null=True, blank=True)
    import_after = models.PositiveBigIntegerField(default=0)
    import_done = models.PositiveIntegerField(default=0)
    imported_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["team", "-uploaded_at"]),
            models.Index(
                fields=["id"],
                name="workbook_to_read",
                condition=models.Q(state__in=["uploaded", "reading"]),
            ),
            models.Index(
                fields=["id"],
                name="workbook_to_import",
                condition=models.Q(import_list__isnull=False, imported_at__isnull=True),
            ),
            models.Index(
                fields=["id"],
                name="workbook_to_sum",
                condition=models.Q(figures_due=True),
            ),
            models.Index(
                fields=["id"],
                name="workbook_folded",
                condition=models.Q(folded=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def findings(self) -> dict[str, Any]:
        """What the reading found beside its rows; raises ContentDestroyed without the key."""
        return self.data_key.open_json(self.sealed_findings) if self.sealed_findings else {}

    @property
    def figures(self) -> dict[str, Any]:
        """Sums and extremes by column; {} until a worker has made them. Raises ContentDestroyed."""
        return self.data_key.open_json(self.sealed_figures) if self.sealed_figures else {}

    @property
    def header_range(self) -> list[int]:
        """First and last row of the header; empty where none was found."""
        return [self.header_rows[0], self.header_rows[-1]] if self.header_rows else []

    @property
    def is_importing(self) -> bool:
        """Whether a worker is bringing, or will bring, the rows into a list."""
        return self.import_list_id is not None and self.imported_at is None

    @property
    def is_destroyed(self) -> bool:
        """Whether the content is gone; what a campaign did with it is still known."""
        return self.data_key.destroyed_at is not None

    @property
    def rows(self) -> models.QuerySet[WorkbookRow]:
        """The rows of the visible reading, in the sheet's order."""
        return self.all_rows.filter(reading=self.reading).order_by("number", "part")

    @property
    def blocks(self) -> models.QuerySet[WorkbookBlock]:
        """The blocks of the visible reading, in the sheet's order; none of a workbook that has rows."""
        return self.all_blocks.filter(reading=self.reading).order_by("number")

    def content_visible_to(self, user: models.Model) -> bool:
        """A list's rows are seen by the team; a payroll's by those with a grant alone."""
        if self.purpose == Purpose.LIST:
            return True
        return ContentGrant.objects.filter(user=user, workbook=self).exists()


class WorkbookFile(models.Model):
    """The uploaded bytes, sealed, apart from Workbook so that lists don't load them."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    workbook = models.OneToOneField(Workbook, models.CASCADE, related_name="file")
    sealed = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.workbook_id}"


class WorkbookRow(models.Model):
    """One recipient of a sheet. `part` counts the addresses in one cell from 0.

    Written by the hundred thousand: the team is the workbook's, which the database checks already,
    and every query begins with the workbook, whose other indexes serve it.
    """

    team = models.ForeignKey(
        Team, models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    workbook = models.ForeignKey(Workbook, models.CASCADE, related_name="all_rows", db_index=False)
    reading = models.PositiveIntegerField()
    number = models.PositiveIntegerField()
    part = models.PositiveSmallIntegerField(default=0)
    address = models.CharField(max_length=320)
    address_key = models.CharField(max_length=320)
    # {"name": …, "values": [one text a column, null where the cell cannot be read]}
    sealed = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workbook", "reading", "number", "part"], name="workbook_row_once"
            )
        ]
        indexes = [models.Index(fields=["workbook", "reading", "address_key"])]

    def __str__(self) -> str:
        return f"{self.workbook_id}:{self.number}"


class WorkbookBlock(models.Model):
    """Some hundred people of a list in one sealed value (pipeline/blocks), the first in row `number`.

    `keys` has the address keys in clear, as a row has its own: each between two line breaks.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    workbook = models.ForeignKey(
        Workbook, models.CASCADE, related_name="all_blocks", db_index=False
    )
    reading = models.PositiveIntegerField()
    number = models.PositiveIntegerField()
    count = models.PositiveSmallIntegerField()
    keys = models.TextField()
    sealed = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workbook", "reading", "number"], name="workbook_block_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.workbook_id}:{self.number}"
