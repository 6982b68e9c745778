"""What is said of a delivery in a result: state, reply, reason, bounce, and what its employee answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from campaigns.models import Attempt, Campaign, Confirmation, Delivery, Feedback
from campaigns.models.content import ContentDestroyed
from campaigns.models.delivery import DeliveryPurpose
from campaigns.models.feedback import FeedbackKind
from campaigns.pipeline.confirm import disputes

CHUNK = 1000


@dataclass(frozen=True)
class Reading:
    """Who reads the result: whether he may see the content, and how a stored reason is said."""

    with_content: bool
    say: Callable[[str], str]


def told(campaign: Campaign, reading: Reading) -> Iterator[tuple[Delivery, Told]]:
    """Each delivery but tests with what there is to say of it, by and by."""
    for chunk in chunks(campaign):
        attempts, bounces = last_attempts(chunk), bounces_of(chunk, reading)
        answers = Answers(chunk, reading) if campaign.confirm_days else None
        for delivery in chunk:
            attempt = attempts.get(delivery.pk)
            fixed = fixed_cells(delivery, attempt, campaign, reading)
            answered = [str(cell) for cell in answers.of(delivery)] if answers else []
            yield (
                delivery,
                Told(
                    state=str(fixed[2]),
                    time=str(fixed[3]),
                    reply=f"{fixed[6]} {fixed[7]}".strip(),
                    why=str(fixed[8]),
                    bounce=bounces.get(delivery.pk, ""),
                    answers=answered,
                ),
            )


@dataclass(frozen=True)
class Told:
    """Of one delivery, in words; `answers` are purpose, opened, confirmed, disputed, the dispute."""

    state: str
    time: str
    reply: str
    why: str
    bounce: str
    answers: Sequence[str]


def chunks(campaign: Campaign) -> Iterator[list[Delivery]]:
    rows = Delivery.objects.filter(campaign=campaign).exclude(purpose=DeliveryPurpose.TEST)
    after = 0
    while chunk := list(
        rows.filter(pk__gt=after)
        .select_related("relay")
        .defer("relay__secret", "relay__ca_pem")
        .order_by("pk")[:CHUNK]
    ):
        yield chunk
        after = chunk[-1].pk


def fixed_cells(
    delivery: Delivery, attempt: Attempt | None, campaign: Campaign, reading: Reading
) -> list[object]:
    code = f"{delivery.code or ''} {delivery.enhanced}".strip()
    why = f"{reading.say(delivery.reason)} {delivery.detail} {delivery.resolved_note}".strip()
    return [
        delivery.row_number or "",
        delivery.address,
        delivery.get_state_display(),
        _time(delivery.changed_at),
        delivery.relay.name if delivery.relay else "",
        delivery.attempts,
        code,
        _reply(attempt, campaign, reading) if attempt else "",
        why,
    ]


def _reply(attempt: Attempt, campaign: Campaign, reading: Reading) -> str:
    if not attempt.sealed_text:
        return attempt.text
    if not reading.with_content or campaign.workbook is None:
        return ""
    try:
        return campaign.workbook.data_key.open(attempt.sealed_text).decode("utf-8", "replace")
    except ContentDestroyed:
        return ""


def last_attempts(chunk: list[Delivery]) -> dict[int, Attempt]:
    rows = Attempt.objects.filter(delivery__in=[delivery.pk for delivery in chunk])
    return {attempt.delivery_id: attempt for attempt in rows.order_by("started_at", "pk")}


def bounces_of(chunk: list[Delivery], reading: Reading) -> dict[int, str]:
    """The last bounce of each; one that proves nothing says so."""
    rows: QuerySet[Feedback] = Feedback.objects.filter(
        delivery__in=[delivery.pk for delivery in chunk], kind=FeedbackKind.BOUNCE
    )
    return {row.delivery_id: _bounce(row, reading) for row in rows.order_by("received_at", "pk")}


def _bounce(row: Feedback, reading: Reading) -> str:
    kind = _("硬退信") if row.hard else _("软退信")
    if not row.proof:
        kind = _("%(kind)s（未证实）") % {"kind": kind}
    return f"{kind} {row.status} {reading.say(row.reason)}".strip()


class Answers:
    """What the employees of these deliveries answered; a slip's own row has it, a reminder's none."""

    def __init__(self, chunk: list[Delivery], reading: Reading) -> None:
        self.reading = reading
        rows = Confirmation.objects.filter(delivery__in=[one.pk for one in chunk])
        found = rows.select_related("campaign__workbook__data_key")
        self.by_delivery = {row.delivery_id: row for row in found}

    def of(self, delivery: Delivery) -> list[object]:
        purpose = delivery.get_purpose_display()
        row = self.by_delivery.get(delivery.pk)
        if row is None:
            return [purpose, "", "", "", ""]
        said = disputes(row) if self.reading.with_content else []
        times = [_time(at) for at in (row.opened_at, row.confirmed_at, row.disputed_at)]
        return [purpose, *times, "\n".join(one["text"] for one in said)]


def _time(moment: datetime | None) -> str:
    return formats.date_format(timezone.localtime(moment), "Y-m-d H:i:s") if moment else ""
