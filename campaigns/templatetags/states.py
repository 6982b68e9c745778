"""What each state means and how it looks; its word is the label of the model's own choices.

Badges, legends and progress bars take everything from here, so a state looks and reads the same everywhere.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaign import CampaignState, Hold
from campaigns.models.confirmation import ConfirmationState
from campaigns.models.contact import MemberStatus
from campaigns.models.delivery import DeliveryState
from campaigns.models.feedback import FeedbackKind, SuppressionReason
from campaigns.models.workbook import ReadingState


@dataclass(frozen=True, slots=True)
class State:
    """A state as a person sees it: `css` picks the colour (app.css, .state-…), `icon` the symbol (icons.txt)."""

    label: str | Promise
    meaning: str | Promise
    css: str
    icon: str


def _states(*rows: tuple[str, Promise, str, str]) -> dict[str, State]:
    """Rows of (a TextChoices member, meaning, css, icon), by the member's value."""
    return {str(row[0]): State(row[0].label, *row[1:]) for row in rows}  # type: ignore[attr-defined]


DELIVERY = _states(
    (DeliveryState.QUEUED, _("还没有发出，正在等待轮到它。"), "queued", "clock"),
    (DeliveryState.SENDING, _("正在交给发信服务器。"), "sending", "send"),
    (
        DeliveryState.ACCEPTED,
        _("发信服务器已经收下这封邮件；之后仍可能退信。"),
        "accepted",
        "check",
    ),
    (
        DeliveryState.DEFERRED,
        _("服务器暂时不收或连不上，会自动再试。"),
        "deferred",
        "clock-pause",
    ),
    (DeliveryState.REFUSED, _("服务器明确拒收，不会再试。"), "refused", "x"),
    (
        DeliveryState.IN_DOUBT,
        _(
            "邮件已传完，但没等到服务器的答复：可能已收下，也可能没有。为免重复，要由人或活动的规则决定。"
        ),
        "in-doubt",
        "question-mark",
    ),
    (
        DeliveryState.FAILED,
        _("我们这边没能生成邮件（例如某一格有问题），没有发出。"),
        "failed",
        "alert-triangle",
    ),
    (DeliveryState.EXPIRED, _("超过了最晚发送时间，没有发出。"), "expired", "hourglass"),
    (DeliveryState.SUPPRESSED, _("地址在屏蔽名单里，没有发出。"), "suppressed", "ban"),
    (DeliveryState.CANCELLED, _("活动取消时还没有发出。"), "cancelled", "minus"),
)

CAMPAIGN = _states(
    (CampaignState.DRAFT, _("还在准备，没有安排发送。"), "queued", "pencil"),
    (CampaignState.SCHEDULED, _("到时间会自动开始发送。"), "scheduled", "calendar-event"),
    (CampaignState.RUNNING, _("正在发送。"), "sending", "send"),
    (CampaignState.PAUSED, _("停在这里，继续之前不会再发。"), "deferred", "player-pause"),
    (CampaignState.FINISHED, _("每位收件人都有了结果。"), "accepted", "checks"),
    (CampaignState.CANCELLED, _("剩下的不再发送。"), "cancelled", "ban"),
)

HOLD = {
    value: State(label, _("暂不发送，等人处理。"), "deferred", "player-pause")
    for value, label in Hold.choices
}

FEEDBACK = _states(
    (FeedbackKind.BOUNCE, _("邮件被退回。"), "deferred", "mail-off"),
    (FeedbackKind.DELAYED, _("对方服务器还在尝试，不是最后结果。"), "deferred", "clock"),
    (FeedbackKind.DELIVERED, _("对方服务器确认已投递。"), "accepted", "mail-check"),
    (FeedbackKind.COMPLAINT, _("收件人举报为垃圾邮件。"), "refused", "alert-triangle"),
    (FeedbackKind.AUTO_REPLY, _("收件人的自动答复，例如休假。"), "queued", "arrow-back-up"),
    (FeedbackKind.CHALLENGE, _("对方要求证明发信人是真人。"), "in-doubt", "question-mark"),
    (FeedbackKind.UNSUBSCRIBE, _("收件人写信来退订，已照办。"), "suppressed", "unlink"),
    (FeedbackKind.REPLY, _("有人亲自写来的回信。"), "queued", "mail"),
    (FeedbackKind.UNRECOGNISED, _("看起来像退信，但没能读懂。"), "in-doubt", "help-circle"),
) | {
    "hard": State(_("硬退信"), _("地址本身不可用。"), "refused", "mail-off"),
    "soft": State(_("软退信"), _("暂时或内容原因退回，地址可能仍可用。"), "deferred", "mail-off"),
}

SUPPRESSION = _states(
    (SuppressionReason.HARD_BOUNCE, _("邮件因地址不可用被退回。"), "refused", "mail-off"),
    (SuppressionReason.REFUSED, _("发信时服务器答复地址不存在。"), "refused", "x"),
    (SuppressionReason.SOFT_BOUNCES, _("邮箱一再已满或停用。"), "refused", "mail-off"),
    (SuppressionReason.COMPLAINT, _("收件人举报为垃圾邮件。"), "refused", "alert-triangle"),
    (SuppressionReason.UNSUBSCRIBED, _("收件人自己退订。"), "suppressed", "unlink"),
    (SuppressionReason.MANUAL, _("由团队成员加入。"), "queued", "user"),
    (SuppressionReason.ERASED, _("应本人要求删除，只留下地址，不再联系。"), "cancelled", "trash"),
)

WORKBOOK = _states(
    (ReadingState.UPLOADED, _("马上开始读取。"), "queued", "clock"),
    (ReadingState.READING, _("正在读取文件。"), "sending", "loader"),
    (ReadingState.CHOOSING, _("有多个工作表，请选择一个。"), "in-doubt", "question-mark"),
    (ReadingState.READ, _("已读完，确认之前什么也不会使用。"), "scheduled", "list-check"),
    (ReadingState.REJECTED, _("文件读不了，原因在页面上。"), "refused", "x"),
    (ReadingState.CONFIRMED, _("内容已核对，可以使用。"), "accepted", "check"),
) | {"destroyed": State(_("内容已销毁"), _("内容不可恢复，只留下记录。"), "cancelled", "trash")}

MEMBER = _states(
    (MemberStatus.SUBSCRIBED, _("会收到发给这个名单的邮件。"), "accepted", "check"),
    (
        MemberStatus.UNSUBSCRIBED,
        _("不再收到发给这个名单的邮件，导入也不会改变。"),
        "suppressed",
        "unlink",
    ),
)

CONFIRMATION = _states(
    (ConfirmationState.WAITING, _("员工还没有确认，也没有提出异议。"), "queued", "clock"),
    (ConfirmationState.OPENED, _("员工打开过，还没有确认。"), "sending", "mail-opened"),
    (ConfirmationState.CONFIRMED, _("员工按下了“确认无误”。"), "accepted", "checks"),
    (ConfirmationState.DISPUTED, _("员工写下了哪里不对。"), "in-doubt", "alert-triangle"),
)

# Connections (relays, bounce mailboxes, keys) after "test it"; no model has these as choices.
CHECK = {
    "ok": State(_("正常"), _("最近一次测试通过。"), "accepted", "circle-check"),
    "waiting": State(_("测试中"), _("正在测试，结果马上出来。"), "sending", "loader"),
    "parked": State(
        _("暂停使用"), _("服务器要求放慢，到时间自动恢复。"), "deferred", "clock-pause"
    ),
    "broken": State(_("有问题"), _("最近一次测试没有通过。"), "refused", "alert-circle"),
    "untested": State(_("未测试"), _("还没有测试过。"), "queued", "circle-dashed"),
    "disabled": State(_("已停用"), _("由人停用，不会使用。"), "cancelled", "ban"),
}

KINDS = {
    "confirmation": CONFIRMATION,
    "delivery": DELIVERY,
    "campaign": CAMPAIGN,
    "hold": HOLD,
    "feedback": FEEDBACK,
    "suppression": SUPPRESSION,
    "check": CHECK,
    "workbook": WORKBOOK,
    "member": MEMBER,
}
