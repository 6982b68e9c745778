"""Forms about people: adding a member, a member's roles, one's own account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.field_groups import grouped
from accounts.models import Membership, Role, Team, User

# What a role opens, beside its name.
ROLE_WORDS = {
    Role.OWNER: _("所有者：管理成员、发信账号和新闻邮件。看不到工资条。"),
    Role.MARKETER: _("营销：名单、模板和新闻邮件。"),
    Role.HR: _("人事：上传工资表，发送工资条。"),
    Role.MAIL_ADMIN: _("邮件管理员：发信账号、退信邮箱和 DKIM 密钥。"),
    Role.VIEWER: _("只读：查看活动和结果。"),
}


class RolesForm(forms.Form):
    """A member's roles; a person may have several."""

    roles = forms.MultipleChoiceField(
        label=_("角色"),
        choices=list(ROLE_WORDS.items()),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("请至少选择一个角色；要移出团队，请用“移除”。")},
    )


class AddMemberForm(RolesForm):
    """A person to add, who may or may not have an account yet."""

    email = forms.EmailField(label=_("邮箱"), max_length=254)
    name = forms.CharField(label=_("姓名"), max_length=100, required=False)
    field_order = ("email", "name", "roles")

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        self.team = team
        super().__init__(*args, **kwargs)

    def clean_email(self) -> str:
        email = self.cleaned_data["email"].strip().lower()
        if Membership.objects.filter(team=self.team, user__email__iexact=email).exists():
            raise ValidationError(_("此人已经是成员。请在列表里修改角色。"))
        return email


class AccountForm(forms.ModelForm):
    """One's own name and language."""

    language = forms.ChoiceField(label=_("界面语言"), choices=settings.LANGUAGES)

    class Meta:
        model = User
        fields = ("name", "language")


_KEPT = ("soft_bounces", "soft_days", "suppressions_per_hour", "originals_days")


_TEAM = (
    (_("团队"), ("name", "time_zone", "intranet_links_allowed")),
    (_("启动之前"), ("payslip_release", "release_above", "undo_seconds")),
    (_("自动屏蔽"), ("soft_bounces", "soft_days", "suppressions_per_hour")),
    (_("保留多久"), ("originals_days", "keep_days")),
)


class TeamForm(forms.ModelForm):
    """The team's name and time zone; whether its links may lead inside is a superuser's decision."""

    class Meta:
        model = Team
        fields = (
            *("name", "time_zone", "payslip_release", "release_above", "undo_seconds"),
            *_KEPT,
            "keep_days",
            "intranet_links_allowed",
        )
        help_texts = {
            "payslip_release": _("启动的人不能自己放行：要另一位能看内容的同事核对后放行。"),
            "release_above": _("对所有群发都适用。留空则不限。"),
            "undo_seconds": _("“立即发送”会等这么久才开始，其间可以撤回为草稿。0 是马上开始。"),
            "soft_bounces": _("邮箱已满、停用这类退信要发生几次才屏蔽。0 是从不。"),
            "suppressions_per_hour": _(
                "服务器出错时可能把所有地址都说成不存在。超过的先等人决定，并发出警报。0 是不限。"
            ),
            "originals_days": _(
                "退信邮箱里收到的邮件原样保存这么多天，供核对和建规则；工资条的加密保存，只有有权的人事能看。0 是不保存。"
            ),
            "keep_days": _(
                "最后一次使用之后这么多天，文件和每一行的内容自动销毁，投递记录保留。留空则一直保留。"
            ),
            "time_zone": _("定时发送按这个时区理解，例如 Asia/Shanghai。"),
            "intranet_links_allowed": _(
                "邮件里的链接（例如退订）指向内网地址，只有在公司网络里才能打开。"
            ),
        }

    def __init__(self, *args: Any, superuser: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].widget = forms.TextInput(attrs={"list": "time-zones"})
        for name in ("undo_seconds", *_KEPT):
            self.fields[name].required = False
        if not superuser:
            del self.fields["intranet_links_allowed"]

    def groups(self) -> Iterator[dict[str, Any]]:
        return grouped(self, _TEAM)

    def clean_undo_seconds(self) -> int:
        return self.cleaned_data["undo_seconds"] or 0

    def clean(self) -> dict[str, Any]:
        """A number that was left blank stays as it was."""
        data = super().clean() or {}
        for name in _KEPT:
            if name in data and data[name] is None:
                data[name] = self.initial[name]
        return data
