"""The kinds of mail that a bounce reader tells apart (MaildropMessage.verdict), in a reader's words."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

VERDICTS = {
    "bounce": _("退信"),
    "delivered": _("送达回执"),
    "feedback": _("投诉"),
    "autoreply": _("自动回复"),
    "challenge": _("验证请求"),
    "unsubscribe": _("退订邮件"),
    "ordinary": _("其他邮件（留在服务器上）"),
    "unrecognised": _("未能识别"),
    "ignored": _("按规则不理会"),
    "broke": _("读取中断，会再试"),
    "flooded": _("过大，会再试"),
}
