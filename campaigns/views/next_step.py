"""What happens next with a campaign, in sentences: why it waits, until when, and what a person can do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Min
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from accounts.models import Relay
from campaigns.models import Campaign, Delivery
from campaigns.models.campaign import CampaignState, Hold
from campaigns.models.delivery import DeliveryState
from campaigns.pipeline import limited_domains
from campaigns.reasons import sentence


@dataclass(frozen=True)
class Step:
    """A sentence; `tone` is info, warning or danger."""

    text: str
    tone: str = "info"


def next_steps(campaign: Campaign) -> list[Step]:
    """Nothing for what is over and clear."""
    if campaign.hold_reason:
        return [Step(_HOLDS[campaign.hold_reason](), "warning")]
    match campaign.state:
        case CampaignState.DRAFT:
            return [Step(_("还是草稿：检查没有问题、看过预览后，再启动。"))]
        case CampaignState.SCHEDULED:
            return [Step(_scheduled(campaign))]
        case CampaignState.PAUSED:
            return [Step(_("已暂停：还没发出的邮件停在这里，继续后接着发，不会重复。"), "warning")]
        case CampaignState.RUNNING if campaign.planned_at is None:
            return [Step(_("正在准备收件人，马上开始发送。"))]
        case CampaignState.RUNNING:
            return _running(campaign)
    return []


def _scheduled(campaign: Campaign) -> str:
    if campaign.scheduled_at is None or campaign.scheduled_at <= timezone.now():
        return _("马上开始发送。")
    undo = timedelta(seconds=campaign.team.undo_seconds)
    if campaign.scheduled_at - timezone.now() <= undo:
        return _("%(time)s 开始发送；开始之前可以撤回为草稿。") % {
            "time": clock(campaign.scheduled_at)
        }
    return _("到 %(wall)s（%(zone)s）自动开始发送。") % {
        "wall": campaign.scheduled_wall.replace("T", " "),
        "zone": campaign.scheduled_zone,
    }


def _running(campaign: Campaign) -> list[Step]:
    """From the hours, then the relay's state, then from the rows that wait for a second try."""
    opens = campaign.sends_from
    if opens is not None and opens > timezone.now():
        return [Step(_("现在不在发送时段内，%(time)s 继续。") % {"time": clock(opens)})]
    carriers = [carrier.relay for carrier in campaign.carriers.all()]
    steps = [step for step in map(_of_relay, carriers or [campaign.relay]) if step]
    if names := limited_domains.held_up(campaign):
        words = _("发往 %(domains)s 的邮件暂停或在等额度，其余照常。")
        steps.append(Step(words % {"domains": _("、").join(names)}))
    if not steps and campaign.counts.get(DeliveryState.DEFERRED):
        rows = Delivery.objects.filter(campaign=campaign, state=DeliveryState.DEFERRED)
        due = rows.aggregate(due=Min("due_at"))["due"]
        if due is not None and due > timezone.now():
            steps.append(Step(_("稍后重试的邮件最早在 %(time)s 再试。") % {"time": clock(due)}))
    return steps or [Step(_("正在按限速发送。"))]


def _of_relay(relay: Relay | None) -> Step | None:
    now = timezone.now()
    if relay is None:
        return None
    params = {"relay": relay.name, "reason": sentence(relay.park_reason)}
    if not relay.enabled:
        text = _("发信账号“%(relay)s”已停用，启用后继续。%(reason)s") % params
        return Step(text, "danger")
    if relay.parked_until and relay.parked_until > now:
        params["time"] = clock(relay.parked_until)
        text = _("发信账号“%(relay)s”暂停使用，%(time)s 自动恢复。%(reason)s") % params
        return Step(text, "warning")
    if relay.resting_until and relay.resting_until > now:
        params["time"] = clock(relay.resting_until)
        return Step(_("限速的额度暂时用完，%(time)s 继续。") % params)
    return None


def clock(moment: datetime) -> str:
    """With the date unless it is today."""
    local = timezone.localtime(moment)
    today = local.date() == timezone.localdate()
    return formats.date_format(local, "H:i:s" if today else "Y-m-d H:i")


_HOLDS = {
    Hold.LATE_START: lambda: _(
        "预定的时间已过去很久（当时系统没有运行），没有自动发送。确认仍要发送后再继续。"
    ),
    Hold.RESTORED_COPY: lambda: _(
        "数据库是恢复的副本，可能已经发送过。确认没有重复的危险后再继续。"
    ),
    Hold.STOP_RULE: lambda: _("退信或被拒太多，触发了停止规则。查明原因后再继续。"),
    Hold.CONTENT_VERDICT: lambda: _(
        "服务器把邮件内容判为垃圾邮件。继续发送会损害账号信誉，请先查看被拒的投递。"
    ),
    Hold.RELEASE_AWAITED: lambda: _(
        "等待第二个人放行：要另一位能看内容的同事核对后放行，启动的人自己不能放行。"
    ),
    Hold.COUNTDOWN: lambda: _("倒计时结束后开始。"),
}
