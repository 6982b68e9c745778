"""Personal data: everything that a team holds about one address, to hand out; and its erasure.

A payslip belongs to HR: that one was sent is told, its content and the server's replies are not, and
an erasure leaves it alone. docs/adr/0011-erasure.md says why the address itself stays suppressed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import User
from campaigns.models import (
    Attempt,
    Contact,
    Delivery,
    Feedback,
    HeldSuppression,
    Hit,
    ListMember,
    RecipientHit,
    SubscriptionProof,
    Suppression,
    WorkbookBlock,
    WorkbookRow,
)
from campaigns.models.content import ContentDestroyed
from campaigns.models.delivery import ERASED_DOMAIN, OPEN, DeliveryPurpose
from campaigns.models.feedback import SuppressionReason
from campaigns.models.template import Kind
from campaigns.models.workbook import Purpose
from campaigns.pipeline import blocks, originals
from campaigns.workbooks.export import result_workbook

# What stands where the address stood.
ERASED_ADDRESS = "已删除"

Data = dict[str, Any]


def collect(contact: Contact) -> Data:
    """In the shape of JSON: texts, numbers, and moments as ISO 8601 with their offset."""
    return {
        "exported_at": _moment(timezone.now()),
        "team": contact.team.name,
        "contact": {
            "address": contact.address,
            "name": contact.name,
            "attributes": contact.attributes,
            "created_at": _moment(contact.created_at),
        },
        "lists": [_membership(row) for row in contact.memberships.select_related("contact_list")],
        "subscriptions": [
            _subscription(row) for row in _proofs(contact).select_related("contact_list")
        ],
        "suppressions": [
            _suppression(row) for row in _suppressions(contact).select_related("contact_list")
        ],
        "held_suppressions": [
            {"reason": row.reason, "note": row.note, "created_at": _moment(row.created_at)}
            for row in _held(contact)
        ],
        "deliveries": list(_deliveries(contact)),
        "opens_and_clicks": list(_hits(contact)),
        "feedback": list(_feedback(contact)),
        "workbook_rows": list(_rows(contact)),
    }


def _membership(row: ListMember) -> Data:
    return {
        "list": row.contact_list.name,
        "status": row.status,
        "changed_at": _moment(row.changed_at),
    }


def _subscription(row: SubscriptionProof) -> Data:
    return {
        "list": row.contact_list.name,
        "text": row.text,
        "asked_at": _moment(row.asked_at),
        "asked_from": row.asked_from,
        "confirmed_at": _moment(row.confirmed_at) if row.confirmed_at else None,
        "confirmed_from": row.confirmed_from,
    }


def _suppression(row: Suppression) -> Data:
    return {
        "list": row.contact_list.name if row.contact_list else None,
        "reason": row.reason,
        "source": row.source,
        "note": row.note,
        "created_at": _moment(row.created_at),
    }


def write_sheet(data: Data, headers: tuple[str, str], target: IO[bytes]) -> None:
    """What `collect` found as an .xlsx with a row for each value: `deliveries/1/campaign` and its text."""
    result_workbook(_flat("", data), headers, target)


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(f"{path}/{name}" if path else str(name), inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value, start=1):
            yield from _flat(f"{path}/{number}", inner)
    else:
        yield path, "" if value is None else str(value)


def _mine(contact: Contact) -> QuerySet[Delivery]:
    """What was sent to the address, and to the contact under an earlier one. The contact of a test
    is only the sample whose values it shows."""
    as_contact = Q(contact=contact) & ~Q(purpose=DeliveryPurpose.TEST)
    return Delivery.objects.filter(
        as_contact | Q(address_key=contact.address_key), team=contact.team_id
    )


def _deliveries(contact: Contact) -> Iterator[Data]:
    rows = _mine(contact).select_related("campaign").prefetch_related("tries").order_by("pk")
    heavy = rows.defer("campaign__frozen_html", "campaign__frozen_text")
    for row in heavy:
        yield {
            "campaign": row.campaign.name,
            "kind": row.campaign.kind,
            "purpose": row.purpose,
            "address": row.address,
            "state": row.state,
            "reason": row.reason,
            "message_id": row.message_id,
            "created_at": _moment(row.created_at),
            "changed_at": _moment(row.changed_at),
            "attempts": [
                {
                    "started_at": _moment(attempt.started_at),
                    "outcome": attempt.outcome,
                    "code": attempt.code,
                    "enhanced": attempt.enhanced,
                    "text": attempt.text,
                }
                for attempt in row.tries.all()
            ],
        }


def _hits(contact: Contact) -> Iterator[Data]:
    """What was opened and clicked, where a campaign tracks individuals; link 0 is the message itself."""
    rows = RecipientHit.objects.filter(delivery__in=_mine(contact).values("pk"))
    rows = rows.select_related("campaign").order_by("pk")
    for row in rows.defer("campaign__frozen_html", "campaign__frozen_text"):
        targets = row.campaign.frozen_links
        yield {
            "campaign": row.campaign.name,
            "link": row.link,
            "target": targets[row.link - 1] if 0 < row.link <= len(targets) else "",
            "people": row.people,
            "machines": row.machines,
            "first_at": _moment(row.first_at),
            "last_at": _moment(row.last_at),
        }


def _feedback(contact: Contact) -> Iterator[Data]:
    rows = _feedback_rows(contact, _mine(contact)).select_related("original")
    for row in rows.order_by("pk"):
        yield {
            "kind": row.kind,
            "address": row.address,
            "hard": row.hard,
            "reason": row.reason,
            "status": row.status,
            "proven": bool(row.proof),
            "text": row.text,
            "original": _original(row),
            "received_at": _moment(row.received_at),
        }


def _original(row: Feedback) -> str:
    """The message as it came, while it is kept; a payslip's is HR's."""
    kept = row.original
    if kept is None or kept.campaign_id is not None or kept.maybe_payslip:
        return ""
    return originals.source_of(kept).decode("utf-8", "replace")


def _feedback_rows(contact: Contact, deliveries: QuerySet[Delivery]) -> QuerySet[Feedback]:
    about = Q(delivery__in=deliveries.values("pk")) | Q(address_key=contact.address_key)
    return Feedback.objects.filter(about, team=contact.team_id)


def _suppressions(contact: Contact) -> QuerySet[Suppression]:
    return Suppression.objects.filter(team=contact.team_id, address_key=contact.address_key)


def _held(contact: Contact) -> QuerySet[HeldSuppression]:
    return HeldSuppression.objects.filter(team=contact.team_id, address_key=contact.address_key)


def _proofs(contact: Contact) -> QuerySet[SubscriptionProof]:
    return SubscriptionProof.objects.filter(team=contact.team_id, address_key=contact.address_key)


def _list_rows(contact: Contact) -> QuerySet[WorkbookRow]:
    return WorkbookRow.objects.filter(
        team=contact.team_id, workbook__purpose=Purpose.LIST, address_key=contact.address_key
    ).select_related("workbook__data_key")


def _rows(contact: Contact) -> Iterator[Data]:
    """The rows of uploaded lists; of one whose content was destroyed only where it stood."""
    for row in _list_rows(contact).order_by("pk"):
        found: Data = {"workbook": row.workbook.name, "row": row.number, "values": {}}
        try:
            values = row.workbook.data_key.open_json(row.sealed)["values"]
        except ContentDestroyed:
            values = []
        names = [column["name"] for column in row.workbook.columns]
        found["values"] = dict(zip(names, values, strict=False))
        yield found
    for block in blocks.about(contact.team_id, contact.address_key).order_by("pk"):
        yield from _in_block(block, contact.address_key)


def _in_block(block: WorkbookBlock, key: str) -> Iterator[Data]:
    columns = blocks.columns_of(block.workbook)
    opened = blocks.opened(block.workbook, block)
    for person, row in zip(opened.people, opened.rows(columns), strict=True):
        if person.key == key:
            values = dict(zip(columns.names, row.cells, strict=True))
            yield {"workbook": block.workbook.name, "row": row.number, "values": values}


def _moment(moment: Any) -> str:
    return str(timezone.localtime(moment).isoformat())


@dataclass(frozen=True)
class Erasure:
    """`waiting`: newsletters to the person that have no end yet; while there are any, nothing is
    erased, and no further one is begun. `files`: uploaded lists whose own file still names the person."""

    waiting: int
    files: list[str]


def erase(contact: Contact, user: User | None) -> Erasure:
    """Removes what identifies the person from everything but payslips, for good."""
    _keep_away(contact, user)
    with transaction.atomic():
        Contact.locked().get(pk=contact.pk)
        letters = _mine(contact).filter(campaign__kind=Kind.NEWSLETTER)
        if waiting := letters.filter(state__in=OPEN).count():
            return Erasure(waiting, [])
        _blank(contact, letters)
        _proofs(contact).delete()
        files = _erase_rows(contact)
        contact.delete()
    return Erasure(0, files)


def _erase_rows(contact: Contact) -> list[str]:
    """Out of the uploaded lists; the names of their files. The blocks come first: where one is just being
    unfolded, its rows are there when it is free."""
    named = blocks.about(contact.team_id, contact.address_key).select_for_update(of=("self",))
    found = list(named.order_by("pk"))
    for block in found:
        blocks.forget(block, contact.address_key)
    rows = _list_rows(contact)
    files = {*rows.values_list("workbook__name", flat=True)}
    WorkbookRow.objects.filter(pk__in=rows.values("pk")).delete()
    return sorted(files | {block.workbook.name for block in found})


def _keep_away(contact: Contact, user: User | None) -> None:
    """From here on nothing is sent to the address and no import brings it back."""
    with transaction.atomic():
        _suppressions(contact).exclude(contact_list=None).delete()
        Suppression.objects.update_or_create(
            team_id=contact.team_id,
            address_key=contact.address_key,
            contact_list=None,
            defaults={
                "address": contact.address_key,
                "reason": SuppressionReason.ERASED,
                "delivery": None,
                "note": "",
                "source": "",
                "created_by": user,
                "created_at": timezone.now(),
            },
        )
        _held(contact).delete()
        ListMember.objects.filter(contact=contact).delete()


def _blank(contact: Contact, letters: QuerySet[Delivery]) -> None:
    """One made-up key for all that was one person's, which nothing can lead back from."""
    key = f"erased-{secrets.token_hex(16)}"
    ids = list(letters.values_list("pk", flat=True))
    payslips = _mine(contact).exclude(campaign__kind=Kind.NEWSLETTER)
    about = _feedback_rows(contact, letters).exclude(delivery__in=payslips.values("pk"))
    originals.erase(contact.team_id, contact.address_key, about)
    about.update(address=ERASED_ADDRESS, address_key=key, text="", sealed_text=None)
    for start in range(0, len(ids), 500):
        part = ids[start : start + 500]
        Attempt.objects.filter(delivery__in=part).update(text="", remote_id="")
        # What was counted of them stays, as numbers of the campaign.
        RecipientHit.objects.filter(delivery__in=part).delete()
        Hit.objects.filter(delivery__in=part).update(delivery=None)
        Delivery.objects.filter(pk__in=part).update(
            address=ERASED_ADDRESS,
            address_key=key,
            domain=ERASED_DOMAIN,
            contact=None,
            resolved_note="",
        )
