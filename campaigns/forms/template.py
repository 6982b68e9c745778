"""What a person writes of a template; its faults are found by pipeline.prepare, all at once."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Team
from campaigns.models import MessageTemplate

LONGEST_HTML, LONGEST_TEXT = 200_000, 100_000


class TemplateForm(forms.Form):
    """Name, subject, HTML and text; the name is unique in its team."""

    name = forms.CharField(label=_("名称"), max_length=100, help_text=_("只有团队成员看得到。"))
    subject = forms.CharField(
        label=_("主题"),
        max_length=500,
        help_text=_("锁屏上也会显示，不要写金额。{{ title }} 是活动的名称。"),
        widget=forms.TextInput(attrs={"data-editor": True, "autocomplete": "off"}),
    )
    html = forms.CharField(
        label=_("HTML 正文"),
        max_length=LONGEST_HTML,
        strip=False,
        widget=forms.Textarea(
            attrs={
                "rows": 20,
                "data-editor": True,
                "spellcheck": "false",
                "class": "font-monospace",
            }
        ),
    )
    text = forms.CharField(
        label=_("纯文本正文"),
        max_length=LONGEST_TEXT,
        required=False,
        strip=False,
        help_text=_("留空则由 HTML 正文自动得出。"),
        widget=forms.Textarea(
            attrs={"rows": 5, "data-editor": True, "spellcheck": "false", "class": "font-monospace"}
        ),
    )

    def __init__(
        self, *args: Any, team: Team, instance: MessageTemplate | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.team, self.instance = team, instance

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        others = MessageTemplate.objects.filter(team=self.team, name=name)
        if self.instance is not None:
            others = others.exclude(pk=self.instance.pk)
        if others.exists():
            raise forms.ValidationError(_("团队里已有同名的模板。"))
        return name
