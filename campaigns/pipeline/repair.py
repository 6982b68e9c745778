"""Repair: HR mends the rows that failed and uploads the file again; only those are taken from it.

Row numbers move when rows are inserted, and a file may hold the mended rows alone, so a slip is known
by its person: the staff number where both files have one, else the name, narrowed by the same content,
address and row. Nothing that went out, may have gone out or may still go is taken; what cannot be told
apart is not taken either, and said.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from django.db.models import Q

from campaigns.models import Campaign, Delivery, Feedback, Workbook, WorkbookRow
from campaigns.models.campaign import Duplicates
from campaigns.models.content import ContentDestroyed
from campaigns.models.delivery import OPEN, DeliveryPurpose, DeliveryState
from campaigns.models.feedback import FeedbackKind
from campaigns.pipeline.match_addresses import LISTED, folded

# Completions of completions; a cycle cannot arise, and is not walked for ever.
_MOST_CAMPAIGNS = 50


class Outcome(IntEnum):
    """What became of a slip, over all its deliveries: the highest counts."""

    FAILED = 0
    OPEN = 1
    DOUBT = 2
    SENT = 3


class Verdict(StrEnum):
    """Why a row is taken or left."""

    TAKE = "take"
    SENT = "sent"
    CHANGED = "changed"  # sent, and the row says something else now
    OPEN = "open"
    DOUBT = "doubt"
    OTHER_NAME = "other_name"  # the number was somebody else's
    OTHER_NUMBER = "other_number"  # the name and address had another number
    UNCLEAR = "unclear"  # several slips, and nothing tells which
    TWICE = "twice"  # the slip stands twice in the mended file
    LOST = "lost"  # the former content was destroyed


_LEFT = {
    Outcome.SENT: Verdict.SENT,
    Outcome.DOUBT: Verdict.DOUBT,
    Outcome.OPEN: Verdict.OPEN,
}


@dataclass
class Slip:
    """One row of one campaign, with all that came of it."""

    pk: int
    row: int
    number: str
    name: str
    address_key: str
    values: Mapping[str, str | None]
    outcome: Outcome = Outcome.FAILED


class Family:
    """The slips of a campaign and of those that completed it."""

    def __init__(self, campaign: Campaign, *, without: Campaign | None = None) -> None:
        self.slips: dict[int, Slip] = {}
        for member in _members(campaign):
            if without is None or member.pk != without.pk:
                self._add(member)
        self._by_number = self._index("number")
        self._by_name = self._index("name")
        self._by_address = self._index("address_key")

    def _index(self, name: str) -> dict[str, list[Slip]]:
        found: dict[str, list[Slip]] = defaultdict(list)
        for slip in self.slips.values():
            if key := getattr(slip, name):
                found[key].append(slip)
        return found

    def _add(self, campaign: Campaign) -> None:
        workbook = campaign.workbook
        assert workbook is not None
        outcomes = _outcomes(campaign)
        names = [column["name"] for column in workbook.columns]
        at = number_column(workbook, names, workbook.findings.get("suggestions", {}))
        for row in workbook.rows.iterator(chunk_size=2000):
            slip, former = _slip(workbook, row, names, at)
            slip.outcome = outcomes.of(row)
            # A mended row is the same slip as the one that had failed.
            known = self.slips.setdefault(former or slip.pk, slip)
            known.outcome = max(known.outcome, slip.outcome)

    def verdict(self, slip: Slip, taken: set[int]) -> tuple[Verdict, Slip | None]:
        """Whether this row of a mended file is to be sent, and the slip that it was."""
        found, doubt = self._same_person(slip)
        if not found:
            return Verdict.TAKE, None
        failed = [one for one in found if one.outcome == Outcome.FAILED]
        if doubt is not None and len(failed) < len(found):
            return doubt, found[0]
        if 0 < len(failed) < len(found):
            return Verdict.UNCLEAR, found[0]
        if failed:
            free = [one for one in failed if one.pk not in taken]
            return (Verdict.TAKE, free[0]) if free else (Verdict.TWICE, found[0])
        one = max(found, key=lambda each: each.outcome)
        if one.outcome == Outcome.SENT and _differences(one, slip):
            return Verdict.CHANGED, one
        return _LEFT[one.outcome], one

    def _same_person(self, slip: Slip) -> tuple[list[Slip], Verdict | None]:
        """The slips that may be this one's, and what makes that doubtful."""
        if slip.number and slip.number in self._by_number:
            found = self._by_number[slip.number]
            same = [one for one in found if not one.name or not slip.name or one.name == slip.name]
            return _narrowed(same or found, slip), None if same else Verdict.OTHER_NAME
        if slip.name and slip.name in self._by_name:
            found = self._by_name[slip.name]
            if not slip.number:
                return _narrowed(found, slip), None
            here = [one for one in found if one.number and _same_place(one, slip)]
            if here:
                return here, Verdict.OTHER_NUMBER
            return _narrowed([one for one in found if not one.number], slip), None
        found = self._by_address.get(slip.address_key, [])
        if not slip.name and not slip.number:
            found = found or list(self.slips.values())
            at_home = [one for one in found if one.address_key == slip.address_key]
            alike = [one for one in found if one.row == slip.row and _differences(one, slip) <= 2]
            return _narrowed(at_home or alike, slip), None
        # Nobody of this number or name: the address is another person's, or the name was mended.
        renamed = [one for one in found if one.row == slip.row or _differences(one, slip) <= 1]
        known = [one for one in renamed if not (one.number and slip.number)]
        return _narrowed(known, slip), Verdict.OTHER_NAME if known else None


def _same_place(one: Slip, slip: Slip) -> bool:
    return one.address_key == slip.address_key or one.row == slip.row


def _narrowed(found: list[Slip], slip: Slip) -> list[Slip]:
    """Of several slips of one person the ones with most of this content, then this row, this address."""
    if len(found) > 1:
        fewest = min(_differences(one, slip) for one in found)
        found = [one for one in found if _differences(one, slip) == fewest]
    for name in ("row", "address_key"):
        own = [one for one in found if getattr(one, name) == getattr(slip, name)]
        if len(found) > 1 and own:
            found = own
    return found


def _differences(one: Slip, other: Slip) -> int:
    """How many of the columns that both have say something else; the address counts as one."""
    shared = one.values.keys() & other.values.keys()
    columns = sum(one.values[name] != other.values[name] for name in shared)
    return columns + (one.address_key != other.address_key)


class Repair:
    """A mended file against what became of the campaign that it mends."""

    def __init__(
        self, workbook: Workbook, family: Family | None, names: Sequence[str], number: int | None
    ) -> None:
        self._workbook, self._family = workbook, family
        self._names, self._number = list(names), number
        self._taken = 0
        self._left: Counter[str] = Counter()
        self._rows: list[tuple[int, str, int]] = []

    @classmethod
    def of(
        cls, workbook: Workbook, names: Sequence[str], suggestions: Mapping[str, str]
    ) -> Repair | None:
        """None where the campaign has sent nothing yet: then the whole file is taken."""
        campaign = workbook.repairs
        if campaign is None or campaign.launched_at is None:
            return None
        try:
            family: Family | None = Family(campaign)
        except ContentDestroyed:
            family = None
        return cls(workbook, family, names, number_column(workbook, names, suggestions))

    def settle(self, rows: Any) -> list[int]:
        """Writes into each taken row which slip it was; the numbers of the rows that are not taken.

        Of a row with several addresses all are taken or none.
        """
        taken: set[int] = set()
        left: list[int] = []
        every = list(rows.order_by("number", "part"))
        for row in every:
            slip, _former = _slip(self._workbook, row, self._names, self._number)
            verdict, former = Verdict.LOST, None
            if self._family is not None:
                verdict, former = self._family.verdict(slip, taken)
            if verdict is not Verdict.TAKE:
                self._left[verdict.value] += 1
                self._rows.append((row.number, verdict.value, former.row if former else 0))
                left.append(row.number)
            elif former is not None:
                taken.add(former.pk)
                self._link(row, former)
        self._taken = sum(row.number not in left for row in every)
        return left

    def _link(self, row: WorkbookRow, former: Slip) -> None:
        key = self._workbook.data_key
        content = key.open_json(row.sealed) | {"slip": former.pk}
        WorkbookRow.objects.filter(pk=row.pk).update(sealed=key.seal_json(content))

    def findings(self) -> dict[str, Any]:
        return {"taken": self._taken, "left": dict(self._left), "rows": self._rows[:LISTED]}


def overtaken(campaign: Campaign) -> list[int]:
    """Rows of a completing campaign that must not be sent any more: somebody else sent them since.

    Raises ContentDestroyed.
    """
    workbook, first = campaign.workbook, completed_by(campaign)
    if first is None or workbook is None:
        return []
    family = Family(first, without=campaign)
    names = [column["name"] for column in workbook.columns]
    at = number_column(workbook, names, workbook.findings.get("suggestions", {}))
    found, taken = [], set[int]()
    for row in workbook.rows.iterator(chunk_size=2000):
        verdict, former = family.verdict(_slip(workbook, row, names, at)[0], taken)
        if verdict is not Verdict.TAKE:
            found.append(row.number)
        elif former is not None:
            taken.add(former.pk)
    return found


def family_ids(campaign: Campaign) -> set[int]:
    """The campaigns that together are one sending: what it completes, and what else completes that."""
    return {member.pk for member in _members(campaign)} if completed_by(campaign) else set()


def completed_by(campaign: Campaign) -> Campaign | None:
    """The launched campaign that this one completes, also where only its file says so."""
    mended = campaign.workbook.repairs if campaign.workbook is not None else None
    found = campaign.completes or mended
    return found if found is not None and found.launched_at and found.pk != campaign.pk else None


def _members(campaign: Campaign) -> list[Campaign]:
    """The first campaign of a family and its launched completions, the oldest first."""
    root, seen = campaign, {campaign.pk}
    while (before := completed_by(root)) is not None and before.pk not in seen:
        root = before
        seen.add(root.pk)
    members, level = [root], [root.pk]
    while level and len(members) < _MOST_CAMPAIGNS:
        mending = Q(completes__in=level) | Q(workbook__repairs__in=level)
        launched = Campaign.objects.filter(mending, launched_at__isnull=False)
        launched = launched.exclude(pk__in=[member.pk for member in members])
        found = list(launched.select_related("workbook__data_key").order_by("pk"))
        members += found
        level = [one.pk for one in found]
    return [member for member in members if member.workbook is not None]


def number_column(
    workbook: Workbook, names: Sequence[str], suggestions: Mapping[str, str]
) -> int | None:
    """The column of the staff number: the one that addresses were matched by, or what the reader took
    for it."""
    match = workbook.choices.get("match") or {}
    if match.get("attribute") is not None and match["column"] < len(names):
        return int(match["column"])
    name = suggestions.get("number", "")
    return names.index(name) if name in names else None


def _slip(
    workbook: Workbook, row: WorkbookRow, names: Sequence[str], number: int | None
) -> tuple[Slip, int | None]:
    """A row as a slip, and the pk of the slip that it mended."""
    opened = workbook.data_key.open_json(row.sealed)
    values = opened["values"]
    own = folded(values[number]) if number is not None and number < len(values) else ""
    texts = dict(zip(names, values, strict=False))
    name = folded(opened.get("name"))
    return Slip(row.pk, row.number, own, name, row.address_key, texts), opened.get("slip")


@dataclass
class _Outcomes:
    by_row: dict[int, Outcome]
    by_address: dict[str, Outcome]
    rest: Outcome

    def of(self, row: WorkbookRow) -> Outcome:
        """Of a row without a delivery of its own that of its address, where they were merged."""
        merged = self.by_address.get(row.address_key, self.rest)
        return self.by_row.get(row.pk, merged)


def _outcomes(campaign: Campaign) -> _Outcomes:
    rows = Delivery.objects.filter(campaign=campaign).filter(
        Q(purpose=DeliveryPurpose.CAMPAIGN) | Q(purpose=DeliveryPurpose.RESEND)
    )
    bounced = set(_bounced(campaign))
    by_row: dict[int, Outcome] = {}
    by_address: dict[str, Outcome] = {}
    for pk, row_id, key, state in rows.values_list("pk", "row_id", "address_key", "state"):
        outcome = _outcome(state, pk in bounced)
        by_row[row_id] = max(by_row.get(row_id, outcome), outcome)
        if campaign.duplicates == Duplicates.MERGED:
            by_address[key] = max(by_address.get(key, outcome), outcome)
    waits = campaign.planned_at is None and campaign.finished_at is None
    return _Outcomes(by_row, by_address, Outcome.OPEN if waits else Outcome.FAILED)


def _bounced(campaign: Campaign) -> Iterable[int]:
    """Deliveries whose mailbox is proven dead: what the relay accepted did not arrive."""
    proven = Feedback.objects.filter(
        delivery__campaign=campaign, kind=FeedbackKind.BOUNCE, hard=True
    ).exclude(proof="")
    return proven.values_list("delivery_id", flat=True)


def _outcome(state: str, is_bounced: bool) -> Outcome:
    if state in OPEN:
        return Outcome.OPEN
    if state == DeliveryState.IN_DOUBT:
        return Outcome.DOUBT
    if state == DeliveryState.ACCEPTED and not is_bounced:
        return Outcome.SENT
    return Outcome.FAILED
