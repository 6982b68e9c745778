"""What an employee writes to HR about a payslip."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

LONGEST = 2000


class DisputeForm(forms.Form):
    text = forms.CharField(
        label=_("哪里不对？"),
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off"}),
        help_text=_("只有人力资源部能看到。请写清楚哪一项、您认为应该是多少。"),
    )
