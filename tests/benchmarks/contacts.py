"""Importing a large list: the confirmed rows of a workbook become contacts and members."""

from __future__ import annotations

import time

from campaigns.models import ContactList, DataKey, ListMember, Workbook, WorkbookRow
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline import import_contacts
from tests import cast
from tests.benchmarks import newsletter
from tests.benchmarks.ground import Ground
from tests.benchmarks.tables import Findings

SIZE = 100_000


def a_list_workbook(size: int) -> Workbook:
    """A confirmed reading with `size` sealed rows."""
    team = cast.a_team()
    key = DataKey.objects.create(team=team)
    names = ("姓名", "邮箱", *newsletter.attributes(0))
    workbook = Workbook.objects.create(
        team=team,
        purpose=Purpose.LIST,
        name="名单.xlsx",
        size=1,
        sha256="0" * 64,
        data_key=key,
        state=ReadingState.CONFIRMED,
        reading=1,
        sheet="名单",
        columns=[{"name": name, "letter": "A"} for name in names],
        address_column=1,
        name_column=0,
        row_count=size,
    )
    for start in range(0, size, 5_000):
        WorkbookRow.objects.bulk_create(_row(workbook, start + n) for n in range(5_000))
    return workbook


def _row(workbook: Workbook, number: int) -> WorkbookRow:
    address, name = f"reader{number}@mail{number % 50}.example.com", f"读者{number}"
    values = [name, address, *newsletter.attributes(number).values()]
    return WorkbookRow(
        team_id=workbook.team_id,
        workbook=workbook,
        reading=1,
        number=number + 2,
        part=1,
        address=address,
        address_key=address,
        sealed=workbook.data_key.seal_json({"name": name, "values": values}),
    )


def measure(ground: Ground) -> Findings:
    """100,000 rows into an empty list, then the same again (all known): rows a second."""
    ground.clear()
    workbook = a_list_workbook(SIZE)
    found = Findings()
    rows: list[list[str | float]] = []
    for what in ("new", "known"):
        readers = ContactList.objects.create(team=workbook.team, name=what)
        assert import_contacts.begin(workbook, readers)
        started = time.perf_counter()
        assert import_contacts.run(workbook.pk) == SIZE
        rate = SIZE / (time.perf_counter() - started)
        assert ListMember.objects.filter(contact_list=readers).count() == SIZE
        rows.append([f"{what} contacts", rate])
        found.figures[f"import_{what}_per_second"] = round(rate)
    found.table(f"Importing {SIZE:,} contacts", ["", "rows/s"], rows)
    return found
