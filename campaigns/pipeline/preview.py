"""Preview: one recipient's message exactly as it will be sent, and a test of it to oneself.

Everything goes through compose.Composer, on a delivery that is not stored.
"""

from __future__ import annotations

import email.header
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from email.policy import compat32
from itertools import islice

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from accounts.models import User
from campaigns.mailer.address import AddressFault, address_key
from campaigns.mailer.attachment import Attachment
from campaigns.mailer.smtp import Envelope
from campaigns.models import Campaign, Contact, Delivery, WorkbookRow
from campaigns.models.campaign import Duplicates
from campaigns.models.contact import MemberStatus
from campaigns.models.content import ContentDestroyed
from campaigns.models.delivery import DeliveryPurpose
from campaigns.pipeline import control
from campaigns.pipeline.compose import Composer, Unsendable
from campaigns.pipeline.layouts import for_a_page

Recipient = WorkbookRow | Contact
# A search names so many.
FOUND = 20


@dataclass(frozen=True)
class Shown:
    """A composed message for a page: header fields decoded, and the source as octets."""

    subject: str
    html: str
    text: str
    headers: Sequence[tuple[str, str]]
    source: bytes
    envelope: Envelope
    files: Sequence[Attachment] = ()


@dataclass(frozen=True)
class Place:
    """Where a recipient stands: `index` of `total`, counted from 1, and the ids of its neighbours."""

    index: int
    total: int
    previous: int | None
    following: int | None


def recipients(campaign: Campaign) -> QuerySet[WorkbookRow] | QuerySet[Contact]:
    """Those that a plan makes deliveries of, by their ids."""
    if campaign.workbook is not None:
        rows = campaign.workbook.rows
        if campaign.duplicates == Duplicates.MERGED or not campaign.is_payslip:
            earlier = WorkbookRow.objects.filter(
                workbook=OuterRef("workbook"),
                reading=OuterRef("reading"),
                address_key=OuterRef("address_key"),
                pk__lt=OuterRef("pk"),
            )
            rows = rows.filter(~Exists(earlier))
        return rows.order_by("pk")
    return Contact.objects.filter(
        team=campaign.team_id,
        memberships__contact_list=campaign.contact_list_id,
        memberships__status=MemberStatus.SUBSCRIBED,
    ).order_by("pk")


def place_of(campaign: Campaign, recipient: Recipient) -> Place:
    """Its neighbours in the order of recipients()."""
    rows = recipients(campaign)
    before = rows.filter(pk__lt=recipient.pk)
    return Place(
        before.count() + 1,
        rows.count(),
        before.order_by("-pk").values_list("pk", flat=True).first(),
        rows.filter(pk__gt=recipient.pk).values_list("pk", flat=True).first(),
    )


def search(campaign: Campaign, words: str) -> list[Recipient]:
    """The first recipients with this row number, or with this in the address, or in the name."""
    rows, wanted = recipients(campaign), words.strip().casefold()
    if campaign.workbook is None:
        return list(
            rows.filter(address_key__contains=wanted)[:FOUND]
            or rows.filter(name__icontains=words.strip())[:FOUND]
        )
    if wanted.isdecimal() and len(wanted) < 8:
        return list(rows.filter(number=int(wanted))[:FOUND])
    found = list(rows.filter(address_key__contains=wanted)[:FOUND])
    return found or list(islice(_by_name(campaign, rows, wanted), FOUND))


def _by_name(campaign: Campaign, rows: QuerySet[WorkbookRow], wanted: str) -> Iterator[WorkbookRow]:
    """Names are sealed, so rows are opened one after the other."""
    assert campaign.workbook is not None
    try:
        for row in rows.iterator(chunk_size=2000):
            name = campaign.workbook.data_key.open_json(row.sealed).get("name") or ""
            if wanted in str(name).casefold():
                row.__dict__["found_name"] = str(name)
                yield row
    except ContentDestroyed:
        return


def in_place_of(campaign: Campaign, row_id: int) -> Recipient | None:
    """The recipient whose message this row is in: its own, or where rows are merged the first one of its
    address. None for a row that is not of the campaign's."""
    if campaign.workbook is None:
        return None
    row = campaign.workbook.rows.filter(pk=row_id).first()
    if row is None:
        return None
    return recipients(campaign).filter(address_key=row.address_key).first()


def matched_by(campaign: Campaign, recipient: Recipient) -> str | None:
    """By which attribute of a contact the address was found ("": the name); None for one of the sheet."""
    workbook = campaign.workbook
    choice = workbook.choices.get("match") if workbook else None
    if workbook is None or not choice or not isinstance(recipient, WorkbookRow):
        return None
    try:
        opened = workbook.data_key.open_json(recipient.sealed)
    except ContentDestroyed:
        return None
    return (choice["attribute"] or "") if opened.get("matched") else None


def delivery_for(campaign: Campaign, recipient: Recipient) -> Delivery:
    """The planned delivery if there is one (its Message-ID is the one that counts), or an unsaved one."""
    is_row = isinstance(recipient, WorkbookRow)
    key = f"r{recipient.number}.{recipient.part}" if is_row else f"c{recipient.pk}"
    planned = Delivery.objects.filter(
        campaign=campaign, purpose=DeliveryPurpose.CAMPAIGN, source_key=key
    ).first()
    delivery = planned or Delivery(
        team=campaign.team,
        source_key=key,
        address=recipient.address,
        address_key=recipient.address_key,
        domain=recipient.address_key.rpartition("@")[2],
        relay=campaign.relay,
    )
    delivery.campaign = campaign
    if is_row:
        delivery.row, delivery.row_number = recipient, recipient.number
    else:
        delivery.contact = recipient
    return delivery


def show(campaign: Campaign, delivery: Delivery) -> Shown:
    """The message of this delivery; raises Unsendable with the cell that is to blame."""
    if campaign.relay is None:
        raise Unsendable("no_relay", "")
    composed = Composer(campaign, campaign.relay, shown=True).compose(delivery)
    rendered = composed.rendered
    return Shown(
        rendered.subject,
        for_a_page(campaign, rendered.html),
        rendered.text,
        _headers(composed.content),
        composed.content,
        composed.envelope,
        composed.files,
    )


def _headers(content: bytes) -> list[tuple[str, str]]:
    """Fields in their order, unfolded, encoded words (RFC 2047) as a reader shows them."""
    message = BytesHeaderParser(policy=compat32).parsebytes(content)
    return [(name, _decoded(str(value))) for name, value in message.items()]


def _decoded(value: str) -> str:
    unfolded = " ".join(value.split())
    if "=?" not in unfolded:
        return unfolded
    return str(email.header.make_header(email.header.decode_header(unfolded)))


def send_to_self(campaign: Campaign, delivery: Delivery, user: User) -> Delivery | None:
    """A test with this recipient's values to the user's own address; None where that is none.

    The message is composed first: one that cannot be raises Unsendable and is not queued.
    """
    show(campaign, delivery)
    try:
        key = address_key(user.email)
    except AddressFault:
        return None
    delivery.campaign = campaign
    return control.send_test(campaign, delivery, user.email, key)


def tests_of(campaign: Campaign, user: User) -> list[Delivery]:
    """The user's last tests of this campaign, newest first."""
    rows = Delivery.objects.filter(
        campaign=campaign, purpose=DeliveryPurpose.TEST, address=user.email
    )
    return list(rows.order_by("-pk")[:5])


def is_over(test: Delivery) -> bool:
    """Whether nothing more will happen to a test."""
    return (
        test.state not in ("queued", "sending", "deferred") or test.deliver_until < timezone.now()
    )
