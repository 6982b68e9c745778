"""What a person may change at once of next month's campaign: its name and its subject. The rest is changed in the draft."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.forms.campaign import one_line


class BeginForm(forms.Form):
    name = forms.CharField(label=_("名称"), max_length=150, validators=[one_line])
    subject = forms.CharField(
        label=_("主题"),
        max_length=500,
        required=False,
        validators=[one_line],
        help_text=_("锁屏上也会显示，不要写金额。留空则用活动的名称（或模板的主题）。"),
    )
