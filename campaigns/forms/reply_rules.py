"""The form of a team's own rule on replies."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import Relay
from campaigns.mailer.reply_patterns import PatternFault, codes_of, statuses_of, words_of
from campaigns.models import ReplyRule
from campaigns.models.reply_rule import ABOUT_RECIPIENT, RuleAction

PHASES = [
    ("", _("任何一步")),
    ("greeting", _("问候")),
    ("ehlo", "EHLO"),
    ("auth", _("登录（AUTH）")),
    ("mail", _("发件地址（MAIL）")),
    ("rcpt", _("收件地址（RCPT）")),
    ("data", _("开始传输（DATA）")),
    ("content", _("正文")),
]
_DURATIONS = [
    (2, _("2 秒")),
    (60, _("1 分钟")),
    (300, _("5 分钟")),
    (900, _("15 分钟")),
    (1800, _("30 分钟")),
    (3600, _("1 小时")),
    (7200, _("2 小时")),
    (21_600, _("6 小时")),
    (43_200, _("12 小时")),
    (86_400, _("1 天")),
]
# What decides which replies a rule catches.
_PATTERN = ("scope", "phase", "code", "enhanced", "text")


class ReplyRuleForm(forms.ModelForm):
    """`scope`: this relay alone, or all of the team's. Saved only after its matches were shown (`seen`)."""

    scope = forms.ChoiceField(label=_("用于"), widget=forms.RadioSelect)
    phase = forms.ChoiceField(
        label=_("到哪一步"),
        choices=PHASES,
        required=False,
        help_text=_("一般不用选。登录、问候这些步骤的回复说的是账号，不是某位收件人。"),
    )
    seconds = forms.TypedChoiceField(label=_("多久"), coerce=int)
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = ReplyRule
        fields = ("sentence", "code", "enhanced", "text", "phase", "action", "seconds", "order")
        widgets = {"action": forms.RadioSelect}
        help_texts = {
            "sentence": _("会显示在发信账号的页面上，例如“网关说一小时只能发 500 封”。"),
            "code": _("例如 450；45x 指 450 到 459，5xx 指全部 5 开头；可用逗号写几个。"),
            "enhanced": _("例如 4.7.1；4.7.* 指全部 4.7 开头的。"),
            "text": _(
                "回复里出现的一段话，不分大小写；* 代表任意内容，例如 too many * from your ip。"
            ),
            "order": _("数字小的先试；自己的规则总在自带的之前。"),
        }

    field_order = [
        "sentence",
        "code",
        "enhanced",
        "text",
        "phase",
        "action",
        "seconds",
        "scope",
        "order",
        "seen",
    ]

    def __init__(self, *args: Any, relay: Relay | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.relay = relay
        self.fields["action"].choices = RuleAction.choices
        everywhere = ("team", _("团队的所有发信账号"))
        here = [("relay", relay.name)] if relay else []
        self.fields["scope"].choices = [*here, everywhere]
        self.initial.setdefault("scope", "relay" if here and self._is_for_one() else "team")
        known = dict(_DURATIONS)
        current = self.instance.seconds
        if current not in known:
            known[current] = _("%(seconds)s 秒") % {"seconds": current}
        self.fields["seconds"].choices = sorted(known.items())

    def _is_for_one(self) -> bool:
        return self.instance.pk is None or self.instance.relay_id is not None

    def clean_code(self) -> str:
        return self._readable("code", codes_of)

    def clean_enhanced(self) -> str:
        return self._readable("enhanced", statuses_of)

    def clean_text(self) -> str:
        return self._readable("text", words_of)

    def _readable(self, name: str, parse: Any) -> str:
        text: str = self.cleaned_data[name].strip()
        try:
            parse(text)
        except PatternFault as fault:
            if fault.kind == "phrase":
                raise ValidationError(_("* 太多了，最多把一段话分成 8 段。")) from None
            raise ValidationError(
                _("看不懂“%(part)s”。回复码写 450 或 45x，增强状态码写 4.7.1 或 4.7.*。"),
                params={"part": fault.part},
            ) from None
        return text

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and not (
            codes_of(data["code"]) or statuses_of(data["enhanced"]) or words_of(data["text"])
        ):
            raise ValidationError(
                _("回复码、增强状态码和回复里的话至少填一项，否则会命中所有回复。")
            )
        action, phase = data.get("action"), data.get("phase")
        about_recipient = bool(action) and RuleAction(action).is_about_recipient
        if about_recipient and phase and phase not in ABOUT_RECIPIENT:
            self.add_error(
                "phase",
                _("这一步的回复说的是发信账号，不能因此处理收件人或活动。请选“暂停这个发信账号”。"),
            )
        return data

    @property
    def fingerprint(self) -> str:
        """Of what decides the matches, as it was typed."""
        typed = [self[name].value() or "" for name in _PATTERN]
        return sha256("\0".join(map(str, typed)).encode()).hexdigest()[:16]

    @property
    def was_shown(self) -> bool:
        """Whether the person has seen what exactly this pattern would have caught."""
        return self.cleaned_data.get("seen") == self.fingerprint

    def row(self) -> ReplyRule:
        """The rule as it would be saved."""
        rule: ReplyRule = super().save(commit=False)
        rule.relay = self.relay if self.cleaned_data["scope"] == "relay" else None
        return rule
