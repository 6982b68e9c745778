"""Month changes: two months' people side by side, and what differs. Knows no database.

A person is known by the staff number, else the ID, else name and address, else by a name that each month
has once. Who has several slips under one of these is told apart by the next one, or by their order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from campaigns.workbooks.amounts import amount, shown

# Of each finding so many people are listed; all are counted.
LISTED = 1000
# So many of the largest changes of a column are kept.
LARGEST = 5


class Kind(StrEnum):
    """What is said of a person."""

    MISSING = "missing"
    NEW = "new"
    ADDRESS = "address"
    CHANGED = "changed"
    NOT_POSITIVE = "not_positive"
    SAME = "same"


@dataclass
class Person:
    """One row of one month: `values` by this month's column names; `source` finds its delivery.

    `is_unread`: its content was damaged, so that only row and addresses are known.
    """

    row: int
    name: str
    number: str = ""
    identity: str = ""
    pk: int | None = None
    address: str = ""
    keys: set[str] = field(default_factory=set)
    values: Mapping[str, str] = field(default_factory=dict)
    source: tuple[int, str] | None = None
    folded_name: str = ""
    is_unread: bool = False


@dataclass(frozen=True)
class Wanted:
    """Which columns hold net pay, which are watched for changes above `share` percent, which are amounts."""

    net: str | None
    watched: Sequence[str]
    amounts: Sequence[str]
    share: int


@dataclass
class Changes:
    """People with what is said of them, numbers of all, and the largest changes by column."""

    people: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    largest: dict[str, list[list[Any]]] = field(default_factory=dict)

    def say(self, kinds: Sequence[Kind], entry: dict[str, Any]) -> None:
        """Counts all; lists the first ones of each kind."""
        for kind in kinds:
            self.counts[kind] += 1
        if any(self.counts[kind] <= LISTED for kind in kinds):
            self.people.append({"kinds": [str(kind) for kind in kinds], **entry})


_Key = Callable[[Person], Any]
_KEYS: Sequence[_Key] = (
    lambda one: one.number,
    lambda one: one.identity,
    lambda one: one.folded_name and (one.folded_name, frozenset(one.keys)),
    lambda one: one.folded_name,
)


def pairs(
    before: Sequence[Person], now: Sequence[Person]
) -> tuple[list[tuple[Person, Person]], list[Person], list[Person]]:
    """(the same people, those of before alone, those of now alone), each in the order of the sheet."""
    same: list[tuple[Person, Person]] = []
    steps = [(_once, key) for key in _KEYS] + [(_in_turn, key) for key in _KEYS[:3]]
    for look, key in steps:
        found = _matched(look(before, key), look(now, key))
        same += found
        gone, come = {id(old) for old, _new in found}, {id(new) for _old, new in found}
        before = [one for one in before if id(one) not in gone]
        now = [one for one in now if id(one) not in come]
    return sorted(same, key=lambda pair: pair[1].row), list(before), list(now)


def _matched(old: Mapping[Any, Person], new: Mapping[Any, Person]) -> list[tuple[Person, Person]]:
    """Whom a key names in each month, where no other number contradicts."""
    return [
        (old[value], one)
        for value, one in new.items()
        if value in old and not _contradict(old[value], one)
    ]


def _contradict(old: Person, new: Person) -> bool:
    """Another staff number or ID is another person, whatever the name."""
    return bool(
        (old.number and new.number and old.number != new.number)
        or (old.identity and new.identity and old.identity != new.identity)
    )


def _once(people: Iterable[Person], key: _Key) -> dict[Any, Person]:
    """Whom the key names alone."""
    found: dict[Any, list[Person]] = defaultdict(list)
    for one in people:
        if value := key(one):
            found[value].append(one)
    return {value: rows[0] for value, rows in found.items() if len(rows) == 1}


def _in_turn(people: Iterable[Person], key: _Key) -> dict[Any, Person]:
    """The first slip of one person, the second …"""
    seen: dict[Any, int] = defaultdict(int)
    found = {}
    for one in people:
        if value := key(one):
            seen[value] += 1
            found[(value, seen[value])] = one
    return found


def compare(
    before: Sequence[Person], now: Sequence[Person], left: Sequence[Person], wanted: Wanted
) -> Changes:
    """Everything that differs. `left`: people of now's sheet that are not sent anything.

    Of unread rows nothing is said, nor of who may be the person of such a row in the other month.
    """
    changes = Changes()
    same, gone, come = pairs(*(_read(people) for people in (before, now)))
    gone, come = _apart(gone, now), _apart(come, before)
    absent = {id(old): new for old, new in pairs(gone, left)[0]}
    for old in gone:
        row = absent[id(old)].row if id(old) in absent else None
        changes.say([Kind.MISSING], {**_entry(old, None), "left": row})
    for old, new in same:
        _one(changes, old, new, wanted)
    for new in come:
        kinds = [Kind.NEW, *_not_positive(new, wanted)]
        changes.say(kinds, {**_entry(None, new), "net": new.values.get(wanted.net or "", "")})
    changes.largest = {name: _largest(same, name) for name in wanted.amounts}
    return changes


def _read(people: Iterable[Person]) -> list[Person]:
    return [one for one in people if not one.is_unread]


def _apart(people: Iterable[Person], others: Iterable[Person]) -> list[Person]:
    """Those whose address no unread row of the other month has."""
    unread = {key for other in others if other.is_unread for key in other.keys}
    return [one for one in people if not one.keys & unread]


def alone(now: Sequence[Person], wanted: Wanted) -> Changes:
    """What can be said of a month without the one before."""
    changes = Changes()
    for one in _read(now):
        if kinds := _not_positive(one, wanted):
            changes.say(kinds, {**_entry(None, one), "net": one.values.get(wanted.net or "", "")})
    return changes


def by_address(before: Sequence[Person], now: Sequence[Person], wanted: Wanted) -> Changes:
    """Where the content of before is destroyed: addresses are left in its deliveries."""
    changes = alone(now, wanted)
    old = {key for one in before for key in one.keys}
    new = {key for one in now for key in one.keys}
    for one in before:
        if not one.keys & new:
            changes.say([Kind.MISSING], {**_entry(one, None), "left": None})
    for one in now:
        if not one.keys & old:
            changes.say([Kind.NEW], _entry(None, one))
    return changes


def _entry(old: Person | None, new: Person | None) -> dict[str, Any]:
    one = new or old
    assert one is not None
    return {
        "name": one.name,
        "row": new.row if new else None,
        "pk": new.pk if new else None,
        "address": one.address,
        "was": old.address if old and new else "",
        "before": list(old.source) if old and old.source else None,
    }


def _one(changes: Changes, old: Person, new: Person, wanted: Wanted) -> None:
    kinds = _not_positive(new, wanted)
    entry = {**_entry(old, new), "net": new.values.get(wanted.net or "", "")}
    if old.keys != new.keys:
        kinds.append(Kind.ADDRESS)
    else:
        entry["was"] = ""
    if moved := list(_moved(old, new, wanted)):
        kinds.append(Kind.CHANGED)
        entry["changes"] = moved
    if _is_same(old, new, wanted):
        kinds.append(Kind.SAME)
    if kinds:
        changes.say(kinds, entry)


def _not_positive(one: Person, wanted: Wanted) -> list[Kind]:
    """Nothing, or less than nothing, to be paid out; a blank cell is nothing too."""
    if wanted.net is None:
        return []
    text = one.values.get(wanted.net, "")
    found = amount(text)
    blank = not text.strip()
    return [Kind.NOT_POSITIVE] if blank or (found and found.value <= 0) else []


def _is_same(old: Person, new: Person, wanted: Wanted) -> bool:
    """Every amount that both months have, and there is one."""
    some = False
    for name in wanted.amounts:
        one, two = _value(old, name), _value(new, name)
        if one != two:
            return False
        some = some or bool(one)
    return some


def _value(one: Person, name: str) -> Decimal:
    found = amount(one.values.get(name, ""))
    return found.value if found else Decimal(0)


def _moved(old: Person, new: Person, wanted: Wanted) -> Iterator[list[Any]]:
    """[column, text before, text now, difference, percent or None where it was zero] above the share."""
    for name in wanted.watched:
        if name not in old.values or name not in new.values:
            continue
        one, two = _value(old, name), _value(new, name)
        if one == two:
            continue
        percent = percent_of(one, two)
        if percent is None or abs(percent) > wanted.share:
            yield [name, *_change(old, new, name, percent)]


def _change(old: Person, new: Person, name: str, percent: Decimal | None) -> list[Any]:
    texts = old.values.get(name, ""), new.values.get(name, "")
    places = max((found.places for text in texts if (found := amount(text))), default=0)
    delta = _value(new, name) - _value(old, name)
    return [*texts, f"{'+' if delta > 0 else ''}{shown(delta, places)}", _short(percent)]


def percent_of(old: Decimal, new: Decimal) -> Decimal | None:
    """The change in percent of what it was; None from zero."""
    return (new - old) / abs(old) * 100 if old else None


def _short(percent: Decimal | None) -> str | None:
    return None if percent is None else str(percent.quantize(Decimal("0.1")))


def _largest(same: Sequence[tuple[Person, Person]], name: str) -> list[list[Any]]:
    """[id of the row, number, name, text before, text now, difference, percent], the largest first."""
    found = [
        (abs(_value(new, name) - _value(old, name)), old, new)
        for old, new in same
        if name in old.values and name in new.values
    ]
    found = sorted((one for one in found if one[0]), key=lambda one: -one[0])[:LARGEST]
    return [
        [
            new.pk,
            new.row,
            new.name,
            *_change(old, new, name, percent_of(_value(old, name), _value(new, name))),
        ]
        for _size, old, new in found
    ]
