"""The forms that add addresses to the suppressions: lines by hand, or a whole workbook."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import Team, User
from campaigns.mailer.address import AddressFault, address_key, parse_mailbox
from campaigns.models import ContactList, Suppression, Workbook
from campaigns.models.feedback import SuppressionReason

_MOST_LINES = 2000
_MOST_FAULTS = 10


# Why a person keeps an address away; the others are found out by the system itself.
REASONS = (
    SuppressionReason.MANUAL,
    SuppressionReason.UNSUBSCRIBED,
    SuppressionReason.COMPLAINT,
    SuppressionReason.HARD_BOUNCE,
)


class ScopeForm(forms.Form):
    """For which list, and why."""

    contact_list = forms.ModelChoiceField(
        label=_("范围"), queryset=ContactList.objects.none(), required=False
    )
    reason = forms.ChoiceField(
        label=_("原因"),
        choices=[(reason.value, reason.label) for reason in REASONS],
        required=False,
    )
    note = forms.CharField(
        label=_("备注"), max_length=300, required=False, help_text=_("例如谁在什么时候要求的。")
    )

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["contact_list"]
        field.queryset = ContactList.objects.filter(team=team).order_by("name")
        field.empty_label = _("全部名单")

    def clean_reason(self) -> str:
        """The first, if nothing is said."""
        return self.cleaned_data["reason"] or SuppressionReason.MANUAL


class SuppressionImportForm(ScopeForm):
    """Which of the `workbooks` has the addresses."""

    workbook = forms.ModelChoiceField(label=_("工作簿"), queryset=Workbook.objects.none())
    field_order = ("workbook", "contact_list", "reason", "note")

    def __init__(self, *args: Any, workbooks: QuerySet[Workbook], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["workbook"]
        field.queryset = workbooks
        field.empty_label = _("（请选择）")

    @property
    def has_workbooks(self) -> bool:
        field: Any = self.fields["workbook"]
        return bool(field.queryset.exists())


class SuppressionForm(ScopeForm):
    """All lines are right, or nothing is added and every wrong line is named."""

    addresses = forms.CharField(
        label=_("邮箱地址"),
        max_length=400_000,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text=_("每行一个。"),
    )
    source = forms.CharField(
        label=_("来源"),
        max_length=200,
        required=False,
        help_text=_("这些地址从哪里来，例如旧的发信系统。"),
    )
    field_order = ("addresses", "contact_list", "reason", "source", "note")

    def clean_addresses(self) -> dict[str, str]:
        """{key: address}; a line given twice counts once."""
        lines = self.cleaned_data["addresses"].splitlines()
        if len(lines) > _MOST_LINES:
            raise ValidationError(_("一次最多 %(most)d 行。") % {"most": _MOST_LINES})
        found: dict[str, str] = {}
        faults: list[str] = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                address = parse_mailbox(line).address
                found.setdefault(address_key(address), address)
            except AddressFault as fault:
                faults.append(
                    _("第 %(number)d 行：%(why)s") % {"number": number, "why": fault.text}
                )
        if faults:
            raise ValidationError(faults[:_MOST_FAULTS])
        return found

    def save(self, team: Team, user: User) -> tuple[int, int]:
        """(added, already there)."""
        found: dict[str, str] = self.cleaned_data["addresses"]
        asked = self.cleaned_data
        there = Suppression.objects.filter(team=team, contact_list=asked["contact_list"])
        known: set[str] = set()
        keys: list[Any] = list(found)
        for start in range(0, len(keys), 500):
            part = there.filter(address_key__in=keys[start : start + 500])
            known |= set(part.values_list("address_key", flat=True))
        rows = [
            Suppression(
                team=team,
                address=address,
                address_key=key,
                contact_list=asked["contact_list"],
                reason=asked["reason"],
                source=asked["source"],
                note=asked["note"],
                created_by=user,
            )
            for key, address in found.items()
            if key not in known
        ]
        # Two people may add the same address at once: the second finds it there.
        Suppression.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
        return len(rows), len(known)
