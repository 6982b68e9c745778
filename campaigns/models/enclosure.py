"""EnclosureArchive and Enclosure: files of one's own that go with a campaign's messages, one person's each.

They come as one zip and are sealed with the key of the campaign's workbook: names and contents both.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Team
from campaigns.models.campaign import Campaign
from campaigns.models.workbook import WorkbookRow


class ArchiveState(models.TextChoices):
    UPLOADED = "uploaded", _("等待读取")
    READING = "reading", _("正在读取")
    READ = "read", _("已读取")
    REJECTED = "rejected", _("不能读取")


class EnclosureArchive(models.Model):
    """One a campaign. A file belongs to the row whose value of `column` its name is, or begins with.

    `matched_reading`: the reading of the workbook that the files were matched with.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    campaign = models.OneToOneField(Campaign, models.CASCADE, related_name="enclosure_archive")
    name = models.CharField(max_length=255)
    size = models.PositiveBigIntegerField()
    column = models.CharField(_("按哪一列匹配"), max_length=255)
    # The payslip's password protects these files too, as far as their kind lets it.
    protect = models.BooleanField(_("用同一个密码加密"), default=False)
    state = models.CharField(
        max_length=8, choices=ArchiveState.choices, default=ArchiveState.UPLOADED
    )
    reject_kind = models.CharField(max_length=20, blank=True)
    sealed = models.BinaryField(null=True)
    # {"unmatched": [names], "ambiguous": [names]}: sealed JSON, the first ones of each; or {"cause": name}.
    sealed_findings = models.BinaryField(null=True)
    file_count = models.PositiveIntegerField(default=0)
    unmatched_count = models.PositiveIntegerField(default=0)
    ambiguous_count = models.PositiveIntegerField(default=0)
    matched_reading = models.PositiveIntegerField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    uploaded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"],
                name="archive_to_read",
                condition=models.Q(state__in=["uploaded", "reading"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}"


class Enclosure(models.Model):
    """One file of the archive, and whose it is."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    archive = models.ForeignKey(EnclosureArchive, models.CASCADE, related_name="files")
    row = models.ForeignKey(
        WorkbookRow, models.SET_NULL, null=True, blank=True, related_name="enclosures"
    )
    size = models.PositiveIntegerField()
    sealed_name = models.BinaryField()
    sealed = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["archive", "row"])]

    def __str__(self) -> str:
        return f"{self.archive_id}:{self.pk}"
