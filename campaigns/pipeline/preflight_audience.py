"""The recipients before a launch: empty fields, unreadable cells, duplicates, dead addresses."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Q, QuerySet

from campaigns.mailer.template import TemplateSource, empty_fields
from campaigns.models import Campaign, Feedback, ListMember, Suppression, Workbook, WorkbookRow
from campaigns.models.campaign import Duplicates
from campaigns.models.contact import MemberStatus
from campaigns.models.content import ContentDestroyed
from campaigns.models.feedback import FeedbackKind, SuppressionReason
from campaigns.pipeline.compose import ADDRESS_FIELD, NAME_FIELD
from campaigns.pipeline.preflight_finding import BLOCK, INFO, WARN, Collected, Finding, Place

CHUNK = 2000
DEAD = (SuppressionReason.HARD_BOUNCE, SuppressionReason.REFUSED)
_LOOP = re.compile(r"{%-?\+?\s*for\s+\w+\s+in\s+cells\b")


class Audience(ABC):
    """Whom a campaign would reach; `recipients` is how many messages a plan would make."""

    recipients: int

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign

    @property
    @abstractmethod
    def field_names(self) -> Collection[str] | None:
        """The merge fields that there will be; None where each recipient has his own."""

    @abstractmethod
    def findings(self) -> Iterator[Finding]:
        """What is wrong with the recipients."""

    @cached_property
    def shown(self) -> list[str]:
        """Fields that the template shows without providing for an empty value."""
        template = self.campaign.template
        if template is None:
            return []
        return empty_fields(TemplateSource(template.subject, template.html, template.text), {})

    @property
    def suppressed(self) -> Q:
        """Suppressions that a newsletter obeys."""
        return Q(team=self.campaign.team_id) & (
            Q(contact_list=None) | Q(contact_list=self.campaign.contact_list_id)
        )


def audience_of(campaign: Campaign) -> Audience | None:
    """None while none was chosen (or it was deleted meanwhile)."""
    if campaign.workbook is not None:
        return Rows(campaign)
    if campaign.contact_list_id is not None and not campaign.is_payslip:
        return Members(campaign)
    return None


def _empty(fields: Mapping[str, Collected]) -> Iterator[Finding]:
    for name, places in fields.items():
        yield places.finding("empty_field", BLOCK, params={"field": name}, fix="workbooks")


class Rows(Audience):
    """The rows of a confirmed workbook."""

    def __init__(self, campaign: Campaign) -> None:
        super().__init__(campaign)
        assert campaign.workbook is not None
        self.workbook = campaign.workbook
        self.letters = [column["letter"] for column in self.workbook.columns]
        self.names = [column["name"] for column in self.workbook.columns]
        self.by_key: dict[str, list[Place]] = defaultdict(list)
        for number, address, key in self.workbook.rows.values_list(
            "number", "address", "address_key"
        ):
            self.by_key[key].append(Place(row=number, address=address))
        self.rows = sum(map(len, self.by_key.values()))
        once = campaign.duplicates == Duplicates.MERGED or not campaign.is_payslip
        self.recipients = len(self.by_key) if once else self.rows

    @property
    def field_names(self) -> Collection[str]:
        return {*self.names, ADDRESS_FIELD, NAME_FIELD}

    def findings(self) -> Iterator[Finding]:
        if self.workbook.folded:
            yield Finding("rows_awaited", BLOCK)
            return
        if not self.rows:
            yield Finding("no_recipients", BLOCK, fix="campaign_edit")
            return
        yield Finding("recipients", INFO, {"number": self.recipients})
        yield from self._cells()
        yield from self._not_ascii()
        if self.campaign.is_payslip:
            yield from self._duplicates()
            yield from self._dead()
        else:
            yield from self._left_out()

    def _cells(self) -> Iterator[Finding]:
        """Every row is opened once: named fields that are empty, and cells that cannot be read."""
        empty: dict[str, Collected] = defaultdict(Collected)
        unreadable = Collected()
        try:
            for row in self._opened_rows():
                self._look(row, empty, unreadable)
        except ContentDestroyed:
            yield Finding("content_destroyed", BLOCK, fix="workbooks")
            return
        yield from _empty(empty)
        if unreadable.total:
            yield unreadable.finding("unreadable_cell", BLOCK, fix="workbooks")

    def _opened_rows(self) -> Iterator[WorkbookRow]:
        rows = self.workbook.rows.only("workbook", "number", "address", "sealed").order_by(
            "number", "part"
        )
        yield from rows.iterator(chunk_size=CHUNK)

    def _look(self, row: WorkbookRow, empty: dict[str, Collected], unreadable: Collected) -> None:
        opened = self.workbook.data_key.open_json(row.sealed)
        values = dict(zip(self.names, opened["values"], strict=False))
        wanted = self.names if self.campaign.is_payslip else self.shown
        for name in wanted:
            if name in values and values[name] is None:
                unreadable.add(self._place(row, name))
        own = {ADDRESS_FIELD: row.address, NAME_FIELD: opened.get("name") or ""}
        for name in self.shown:
            # A name that is no column is a fault of the template, and said once.
            value = values.get(name, own.get(name))
            if value is not None and not value.strip():
                empty[name].add(self._place(row, name))

    def _place(self, row: WorkbookRow, name: str) -> Place:
        index = self.names.index(name) if name in self.names else self.workbook.name_column
        letter = self.letters[index] if index is not None else ""
        cell = f"{self.workbook.sheet}!{letter}{row.number}" if letter else ""
        return Place(row=row.number, cell=cell, address=row.address)

    def _not_ascii(self) -> Iterator[Finding]:
        found = Collected()
        for places in self.by_key.values():
            for place in places:
                if not place.address.isascii():
                    found.add(place)
        if found.total:
            yield found.finding("smtputf8", WARN)

    def _duplicates(self) -> Iterator[Finding]:
        found = Collected()
        for places in self.by_key.values():
            for place in places if len(places) > 1 else ():
                found.add(place)
        if not found.total:
            return
        decision = self.campaign.duplicates
        if decision == Duplicates.UNDECIDED:
            yield found.finding("duplicates_undecided", BLOCK, fix="campaign_edit")
        elif decision == Duplicates.STOP:
            yield found.finding("duplicates_stop", BLOCK, fix="workbooks")
        elif decision == Duplicates.MERGED and not self._draws_rows():
            yield found.finding("merged_unfit", BLOCK, fix="template", **self._template_id())
        else:
            params = {"decision": decision}
            yield found.finding("duplicates_decided", INFO, params=params, fix="campaign_edit")

    def _draws_rows(self) -> bool:
        """Whether the template loops over the cells, in the HTML and in a text part of its own."""
        template = self.campaign.template
        if template is None:
            return True
        parts = (template.html, template.text) if template.text.strip() else (template.html,)
        return all(_LOOP.search(part) for part in parts)

    def _template_id(self) -> dict[str, int | None]:
        return {"fix_id": self.campaign.template_id}

    def _dead(self) -> Iterator[Finding]:
        """Payroll addresses that are known to be dead; HR corrects them or sends all the same."""
        known = dead_addresses(self.campaign)
        found, anyway = Collected(), Collected()
        for key, (at, reason) in sorted(known.items()):
            for place in self.by_key[key]:
                into = anyway if key in self.campaign.send_anyway else found
                into.add(Place(place.row, place.cell, place.address, at, reason, key))
        if found.total:
            yield found.finding("bounced_before", BLOCK, fix="workbooks")
        if anyway.total:
            yield anyway.finding("sent_anyway", WARN)

    def _left_out(self) -> Iterator[Finding]:
        keys = set(
            Suppression.objects.filter(self.suppressed).values_list("address_key", flat=True)
        )
        number = len(keys & self.by_key.keys())
        if number:
            yield Finding("suppressed", INFO, {"number": number}, fix="suppressions")


def dead_addresses(campaign: Campaign) -> dict[str, tuple[datetime, str]]:
    """address_key → when and why, of a payroll's addresses that bounced hard or were refused."""
    keys = _keys_of(campaign)
    bounces = Feedback.objects.filter(
        team=campaign.team_id, kind=FeedbackKind.BOUNCE, hard=True, address_key__in=keys
    ).exclude(proof="")
    refusals = Suppression.objects.filter(
        team=campaign.team_id, contact_list=None, reason__in=DEAD, address_key__in=keys
    )
    found = [
        *bounces.order_by("received_at").values_list("address_key", "received_at", "reason"),
        *refusals.values_list("address_key", "created_at", "reason"),
    ]
    return {key: (at, reason) for key, at, reason in found}


def _keys_of(campaign: Campaign) -> QuerySet[WorkbookRow, dict[str, Any]]:
    assert campaign.workbook is not None
    return campaign.workbook.rows.order_by().values("address_key")


class Members(Audience):
    """The subscribed members of a contact list."""

    def __init__(self, campaign: Campaign) -> None:
        super().__init__(campaign)
        all_members = ListMember.objects.filter(contact_list=campaign.contact_list_id)
        self.members = all_members.filter(status=MemberStatus.SUBSCRIBED)
        self.left = all_members.exclude(status=MemberStatus.SUBSCRIBED).count()
        self.recipients = self.members.count()

    @property
    def field_names(self) -> None:
        return None

    def findings(self) -> Iterator[Finding]:
        # An import becomes visible in chunks: a launch now would reach a part of the list alone.
        if Workbook.objects.filter(
            import_list=self.campaign.contact_list_id, imported_at=None
        ).exists():
            yield Finding("import_running", BLOCK, fix="workbooks")
        if not self.recipients:
            yield Finding("no_recipients", BLOCK, fix="campaign_edit")
            return
        yield Finding("recipients", INFO, {"number": self.recipients})
        yield from self._contacts()
        keys = Suppression.objects.filter(self.suppressed).values("address_key")
        suppressed = self.members.filter(contact__address_key__in=keys).count()
        if suppressed:
            yield Finding("suppressed", INFO, {"number": suppressed}, fix="suppressions")
        if self.left:
            yield Finding("unsubscribed", INFO, {"number": self.left})

    def _contacts(self) -> Iterator[Finding]:
        empty: dict[str, Collected] = defaultdict(Collected)
        foreign = Collected()
        rows = self.members.order_by("pk").values_list(
            "contact__address", "contact__name", "contact__attributes"
        )
        for address, name, attributes in rows.iterator(chunk_size=CHUNK):
            values = {ADDRESS_FIELD: address, NAME_FIELD: name, **attributes}
            for wanted in self.shown:
                if not str(values.get(wanted, "")).strip():
                    empty[wanted].add(Place(address=address))
            if not address.isascii():
                foreign.add(Place(address=address))
        for name, places in empty.items():
            yield places.finding("empty_field", BLOCK, params={"field": name}, fix="lists")
        if foreign.total:
            yield foreign.finding("smtputf8", WARN)
