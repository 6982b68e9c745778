"""The form of a team's own rule on messages that nothing recognised."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import Team
from campaigns.mailer.reply_patterns import PatternFault, words_of
from campaigns.models import BounceRule
from campaigns.models.original import RuleMeaning

# A phrase as short as this stands in most messages.
_SHORTEST = 4
_PATTERN = ("phrase",)


class PhraseForm(forms.ModelForm):
    """Saved only after its matches were shown (`seen`). `reasons`: (code, sentence) of what a bounce may have."""

    reason = forms.ChoiceField(
        label=_("退信原因"),
        required=False,
        help_text=_("只用于退信。“软退信”里只有邮箱已满、停用这类会累计。"),
    )
    apply_too = forms.BooleanField(
        label=_("保存后，也用于已经收到的这些邮件"), required=False, initial=True
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = BounceRule
        fields = ("phrase", "meaning", "reason")
        widgets = {"meaning": forms.RadioSelect}
        help_texts = {
            "phrase": _("在上面的邮件里选中一段，或自己输入；不分大小写，* 代表任意内容。"),
        }

    def __init__(
        self, *args: Any, team: Team, reasons: Sequence[tuple[str, str]] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.team = team
        self.fields["meaning"].choices = RuleMeaning.choices
        self.fields["reason"].choices = [("", "—"), *reasons]

    def clean_phrase(self) -> str:
        phrase = " ".join(self.cleaned_data["phrase"].split())
        try:
            words = words_of(phrase)
        except PatternFault:
            raise ValidationError(_("* 太多了，最多把一段话分成 8 段。")) from None
        if max(map(len, words), default=0) < _SHORTEST and phrase.isascii():
            raise ValidationError(_("这段话太短，会命中许多不相干的邮件。"))
        if not words or max(map(len, words)) < 2:
            raise ValidationError(_("这段话太短，会命中许多不相干的邮件。"))
        others = BounceRule.objects.filter(team=self.team, phrase=phrase)
        if others.exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("已经有这条规则。"))
        return phrase

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("meaning") not in (RuleMeaning.HARD, RuleMeaning.SOFT):
            data["reason"] = ""
        elif data["meaning"] == RuleMeaning.HARD and not data.get("reason"):
            data["reason"] = "userunknown"
        return data

    @property
    def fingerprint(self) -> str:
        """Of what decides the matches, as it was typed."""
        typed = [" ".join(str(self[name].value() or "").split()) for name in _PATTERN]
        return sha256("\0".join(typed).encode()).hexdigest()[:16]

    @property
    def was_shown(self) -> bool:
        """Whether the person has seen what exactly this phrase would have caught."""
        return self.cleaned_data.get("seen") == self.fingerprint
