"""`quickstart --check`: the main job once, without a person, and its result as the contract says."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from django.db.models import Count
from django.utils import timezone

from accounts.models import Relay
from campaigns.mailer.bounce import read as read_bounce
from campaigns.models import (
    Campaign,
    ContentGrant,
    Delivery,
    Feedback,
    PayslipLayout,
    Suppression,
    Workbook,
)
from campaigns.models.campaign import CampaignState, Duplicates
from campaigns.models.delivery import DeliveryState
from campaigns.models.feedback import FeedbackKind
from campaigns.models.template import Kind
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline import collect, control, layouts, load, preflight
from campaigns.pipeline.preflight_finding import BLOCK
from campaigns.quickstart import demo
from campaigns.quickstart.payroll import demo_payroll
from campaigns.sandbox.sandbox import MailSandbox
from campaigns.sandbox.verdict import dkim_verdict

PAYROLL = 300
READING_LIMIT = timedelta(minutes=5)
SENDING_LIMIT = timedelta(minutes=30)
# Bounces come about a second after their message; then the maildrop is empty for good.
BOUNCE_LIMIT = timedelta(seconds=30)


class CheckFailed(Exception):
    """The main job could not be done; the text is a sentence for the person."""


@dataclass(frozen=True)
class Result:
    """The keys of the contract, in its order."""

    recipients: int
    accepted: int
    refused: int
    failed: int
    expired: int
    in_doubt: int
    suppressed_before: int
    bounced: int
    suppressed: int
    dkim_verified: int
    seconds: float


def check(
    seeded: demo.Demo, sandbox: MailSandbox, workbook: Path | None
) -> tuple[Result, list[str]]:
    """Uploads, reads, confirms, launches and waits; the result and what is wrong with it."""
    started = time.monotonic()
    book = _upload(seeded, workbook)
    campaign = _campaign(seeded, book)
    control.launch(campaign, seeded.user)
    _wait(lambda: _state(campaign) == CampaignState.FINISHED, SENDING_LIMIT, "发送没有按时结束。")
    _collect(sandbox)
    seconds = round(time.monotonic() - started, 1)
    result = _result(campaign, sandbox, seconds)
    return result, _faults(result, campaign, sandbox, seeded)


def _upload(seeded: demo.Demo, path: Path | None) -> Workbook:
    try:
        data = path.read_bytes() if path else demo_payroll(PAYROLL, domain=demo.EMPLOYEES)
    except OSError as error:
        raise CheckFailed(f"无法读取 {path}：{error.strerror}。") from error
    book = load.upload(
        team=seeded.team,
        user=seeded.user,
        purpose=Purpose.PAYSLIP,
        name=path.name if path else "工资表.xlsx",
        data=data,
    )
    reading = (ReadingState.UPLOADED, ReadingState.READING)
    _wait(lambda: _reread(book).state not in reading, READING_LIMIT, "工作簿没有按时读完。")
    if book.state == ReadingState.REJECTED:
        raise CheckFailed(book.reject_text)
    if book.state == ReadingState.CHOOSING:
        raise CheckFailed(f"有多个工作表，请只保留一个：{'、'.join(book.sheets)}。")
    if not load.confirm(book, seeded.user, reading=book.reading):
        raise CheckFailed("工作簿里没有可用的收件人。")
    return _reread(book)


def _reread(book: Workbook) -> Workbook:
    book.refresh_from_db()
    return book


def _layout(seeded: demo.Demo, book: Workbook) -> PayslipLayout:
    """The demo's; another payroll, or one that a person has given other columns, gets its own."""
    layout = PayslipLayout.objects.filter(team=seeded.team, name=demo.LAYOUT).first()
    if layout and not any(layouts.difference(layouts.drawn(layout).layout, book)):
        return layout
    return layouts.make(team=seeded.team, user=seeded.user, workbook=book)


def _campaign(seeded: demo.Demo, book: Workbook) -> Campaign:
    campaign = Campaign.objects.create(
        team=seeded.team,
        kind=Kind.PAYSLIP,
        name="2026 年 11 月工资条",
        layout=_layout(seeded, book),
        workbook=book,
        relay=Relay.objects.get(team=seeded.team, name=demo.RELAY),
        from_name="鸿雁科技人事部",
        from_address=f"hr@{demo.DOMAIN}",
        # A person would be asked; two rows of one mailbox are two people, and both get theirs.
        duplicates=Duplicates.BOTH,
        created_by=seeded.user,
    )
    ContentGrant.objects.create(team=seeded.team, user=seeded.user, campaign=campaign)
    # A cell that cannot be read stops its own delivery, which then says so; the others go out.
    fatal = [
        finding.kind
        for finding in preflight.check(campaign)
        if finding.severity == BLOCK and finding.kind not in PER_ROW
    ]
    if fatal:
        raise CheckFailed(f"发送前检查没有通过：{'、'.join(fatal)}。")
    return campaign


PER_ROW = {"empty_field", "unreadable_cell"}


def _state(campaign: Campaign) -> str:
    return Campaign.objects.values_list("state", flat=True).get(pk=campaign.pk)


def _collect(sandbox: MailSandbox) -> None:
    """Polls until everything that came back has been read."""
    deadline = timezone.now() + BOUNCE_LIMIT
    time.sleep(1.5)  # the sandbox answers after a second
    while sandbox.store.mailbox(demo.BOUNCES) and timezone.now() < deadline:
        for mailbox_id in collect.due():
            collect.poll(mailbox_id)
        time.sleep(0.3)


def _wait(done: Callable[[], bool], limit: timedelta, sentence: str) -> None:
    deadline = time.monotonic() + limit.total_seconds()
    while not done():
        if time.monotonic() > deadline:
            raise CheckFailed(sentence)
        time.sleep(0.2)


def _result(campaign: Campaign, sandbox: MailSandbox, seconds: float) -> Result:
    states = dict(
        Delivery.objects.filter(campaign=campaign).values_list("state").annotate(Count("pk"))
    )
    bounced = Feedback.objects.filter(campaign=campaign, kind=FeedbackKind.BOUNCE).exclude(proof="")
    keys = demo.published_keys()
    verified = sum(
        dkim_verdict(sandbox.store.raw(message), lambda d, s: keys.get((d, s))).passed
        for message in sandbox.store.messages()
        if not message.returned
    )
    return Result(
        recipients=sum(states.values()),
        accepted=states.get(DeliveryState.ACCEPTED, 0),
        refused=states.get(DeliveryState.REFUSED, 0),
        failed=states.get(DeliveryState.FAILED, 0),
        expired=states.get(DeliveryState.EXPIRED, 0),
        in_doubt=states.get(DeliveryState.IN_DOUBT, 0),
        suppressed_before=states.get(DeliveryState.SUPPRESSED, 0),
        bounced=bounced.values("delivery").distinct().count(),
        suppressed=Suppression.objects.filter(team=campaign.team).count(),
        dkim_verified=verified,
        seconds=seconds,
    )


def _faults(
    result: Result, campaign: Campaign, sandbox: MailSandbox, seeded: demo.Demo
) -> list[str]:
    """Whatever is not as it must be, in sentences; empty when all of it is right."""
    arrived = [message for message in sandbox.store.messages() if not message.returned]
    # The bounces that the sandbox itself wrote, read by nobody but counted from its own store.
    reports = [
        message
        for message in sandbox.store.messages()
        if message.returned and read_bounce(sandbox.store.raw(message)).kind == "bounce"
    ]
    ended = (
        result.accepted + result.refused + result.failed + result.expired + result.in_doubt
        + result.suppressed_before
    )  # fmt: skip
    book = campaign.workbook
    assert book is not None
    checks = [
        (result.recipients == book.row_count, "投递数与工作簿的收件人数不符。"),
        (ended == result.recipients, "有投递没有最终状态。"),
        (len(arrived) == result.accepted, "沙箱收到的邮件数与“已提交”的数不符。"),
        (result.dkim_verified == len(arrived), "有邮件的 DKIM 签名未通过验证。"),
        (result.bounced == len(reports), "有退信没有被收回或对应。"),
        (not sandbox.store.mailbox(demo.BOUNCES), "退信邮箱里还有未处理的邮件。"),
        (
            not Delivery.objects.filter(
                campaign=campaign, state=DeliveryState.FAILED, reason="", detail=""
            ).exists(),
            "有失败的投递没有说明原因。",
        ),
    ]
    return [sentence for right, sentence in checks if not right]


def keep(folder: Path, sandbox: MailSandbox) -> None:
    """Messages, envelopes and DNS records, so that others can verify what was sent."""
    folder.mkdir(parents=True, exist_ok=True)
    messages = folder / "messages"
    messages.mkdir(exist_ok=True)
    with (folder / "envelopes.jsonl").open("w", encoding="utf-8") as envelopes:
        for message in sandbox.store.messages():
            if message.returned:
                continue
            shutil.copyfile(sandbox.store.path(message), messages / message.file)
            line = {
                "file": message.file,
                "mail_from": message.mail_from,
                "rcpt_to": list(message.rcpt_to),
            }
            envelopes.write(json.dumps(line, ensure_ascii=False) + "\n")
    (domain, selector), txt = next(iter(demo.published_keys().items()))
    (folder / "dkim.json").write_text(
        json.dumps({"domain": domain, "selector": selector, "txt": txt}), encoding="utf-8"
    )


def as_json(result: Result) -> str:
    return json.dumps(asdict(result))
