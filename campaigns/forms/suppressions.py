"""The form that adds addresses to the suppressions by hand, several lines at once."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import Team, User
from campaigns.mailer.address import AddressFault, address_key, parse_mailbox
from campaigns.models import Suppression
from campaigns.models.feedback import SuppressionReason

_MOST_LINES = 2000
_MOST_FAULTS = 10


class SuppressionForm(forms.Form):
    """All lines are right, or nothing is added and every wrong line is named."""

    addresses = forms.CharField(
        label=_("邮箱地址"),
        max_length=400_000,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text=_("每行一个。"),
    )
    note = forms.CharField(
        label=_("备注"), max_length=300, required=False, help_text=_("例如谁在什么时候要求的。")
    )

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
        everywhere = Suppression.objects.filter(team=team, contact_list=None)
        known: set[str] = set()
        keys: list[Any] = list(found)
        for start in range(0, len(keys), 500):
            part = everywhere.filter(address_key__in=keys[start : start + 500])
            known |= set(part.values_list("address_key", flat=True))
        rows = [
            Suppression(
                team=team,
                address=address,
                address_key=key,
                reason=SuppressionReason.MANUAL,
                note=self.cleaned_data["note"],
                created_by=user,
            )
            for key, address in found.items()
            if key not in known
        ]
        # Two people may add the same address at once: the second finds it there.
        Suppression.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
        return len(rows), len(known)
