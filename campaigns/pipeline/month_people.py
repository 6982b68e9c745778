"""Month people: the people of one month's payroll, opened from its rows or left in its deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from campaigns.models import Campaign, Delivery, Workbook, WorkbookRow
from campaigns.models.content import ContentDestroyed
from campaigns.models.delivery import DeliveryPurpose
from campaigns.pipeline.match_addresses import folded
from campaigns.pipeline.month_changes import Person
from campaigns.pipeline.repair import number_column
from campaigns.workbooks.words import ROLES

CHUNK = 2000


def role(workbook: Workbook, wanted: str) -> str | None:
    """The column of a role of words.ROLES: what the reader took for it, else the first by its name."""
    names = [column["name"] for column in workbook.columns]
    suggestion = workbook.findings.get("suggestions", {}).get(wanted)
    if suggestion in names:
        return str(suggestion)
    return next((name for name in names if ROLES[wanted].search(name)), None)


class _Columns:
    """Where a workbook's people are told apart, and what its columns are called now."""

    def __init__(self, workbook: Workbook, renamed: Mapping[str, str]) -> None:
        names = [column["name"] for column in workbook.columns]
        suggestions = workbook.findings.get("suggestions", {})
        number, identity = number_column(workbook, names, suggestions), role(workbook, "id")
        if number is None and (named := role(workbook, "number")):
            number = names.index(named)
        self.number = number
        self.identity = names.index(identity) if identity else None
        self.name = workbook.name_column
        self.address = workbook.address_column
        self.names = [renamed.get(name, name) for name in names]

    def person(self, row: int, name: str, values: Sequence[str | None]) -> Person:
        return Person(
            row=row,
            name=name,
            number=folded(self._at(values, self.number)),
            identity=folded(self._at(values, self.identity)),
            folded_name=folded(name),
            values={
                own: value
                for own, value in zip(self.names, values, strict=False)
                if value is not None
            },
        )

    def named(self, row: int, values: Sequence[str | None]) -> Person:
        return self.person(row, self._at(values, self.name).strip(), values)

    @staticmethod
    def _at(values: Sequence[str | None], index: int | None) -> str:
        return (values[index] or "") if index is not None and index < len(values) else ""


def of_workbook(
    workbook: Workbook,
    *,
    campaign: Campaign | None = None,
    renamed: Mapping[str, str] | None = None,
) -> list[Person]:
    """One a row of the sheet, with all its addresses; of a row that was damaged only these are known.

    Raises ContentDestroyed where no row can be opened any more.
    """
    columns = _Columns(workbook, renamed or {})
    people: list[Person] = []
    rows = workbook.rows.only("workbook", "number", "part", "address", "address_key", "sealed")
    for row in rows.iterator(chunk_size=CHUNK):
        if not people or people[-1].row != row.number:
            one = _opened(workbook, row, columns)
            one.pk, one.address = row.pk, row.address
            one.source = (campaign.pk, f"r{row.number}.{row.part}") if campaign else None
            people.append(one)
        people[-1].keys.add(row.address_key)
    return people


def _opened(workbook: Workbook, row: WorkbookRow, columns: _Columns) -> Person:
    try:
        opened = workbook.data_key.open_json(row.sealed)
    except ContentDestroyed:
        if workbook.is_destroyed:
            raise
        return Person(row=row.number, name="", is_unread=True)
    return columns.person(row.number, str(opened.get("name") or ""), opened["values"])


def left_out(workbook: Workbook) -> list[Person]:
    """People of the sheet who are not sent anything, as far as the reading kept them."""
    columns = _Columns(workbook, {})
    rows: Sequence[Mapping[str, Any]] = workbook.findings.get("left_out", ())
    return [columns.named(one["row"], one["values"]) for one in rows]


def of_deliveries(campaign: Campaign) -> list[Person]:
    """Where the content is destroyed: an address each, and the row that it stood in."""
    sent = Delivery.objects.filter(campaign=campaign, purpose=DeliveryPurpose.CAMPAIGN)
    rows = sent.order_by("pk").values_list("row_number", "address", "address_key", "source_key")
    return [
        Person(
            row=row or 0,
            name="",
            address=address,
            keys={key},
            source=(campaign.pk, source),
        )
        for row, address, key, source in rows.iterator(chunk_size=CHUNK)
    ]
