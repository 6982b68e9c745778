"""Importing a large list: the confirmed rows of a workbook become contacts and members."""

from __future__ import annotations

import time

from campaigns.models import ContactList, DataKey, ListMember, Workbook, WorkbookRow
from campaigns.models.workbook import Purpose, ReadingState
from campaigns.pipeline import import_contacts
from tests import cast
from tests.benchmarks import cpu, newsletter, workbooks
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
    """100,000 rows into an empty list, then the same again (all known); and from the upload's bytes on."""
    ground.clear()
    workbook = cast.fold(a_list_workbook(SIZE))
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
    _whole_way(ground, found)
    return found


def _whole_way(ground: Ground, found: Findings) -> None:
    """From the bytes of an upload to contacts and members, beside calamine that only reads them."""
    path = workbooks.a_workbook(ground.folder / "list.xlsx", SIZE)
    started, clock = time.process_time(), time.perf_counter()
    assert workbooks.calamine(path) == SIZE
    reading, clock = time.process_time() - started, time.perf_counter() - clock
    ground.clear()
    before = cpu.spent()["PostgreSQL"]
    cost = workbooks.in_a_process(path, "list")
    cost["PostgreSQL"] = cpu.spent()["PostgreSQL"] - before
    assert cost["rows"] == SIZE
    ground.clear()
    memory = workbooks.in_a_process(path, "list", "--memory")
    ours = cost["worker"] + cost["child"]
    found.figures |= {
        "import_100k_vs_calamine": round((ours + cost["PostgreSQL"]) / reading, 1),
        "import_100k_without_postgres_vs_calamine": round(ours / reading, 1),
        "import_100k_clock_vs_calamine": round(cost["seconds"] / clock, 1),
        "workbook_peak_mb": round(max(memory["worker_mb"], memory["child_mb"])),
    }
    found.table(
        f"{SIZE:,} × 12 from the upload to the list's members",
        ["", "seconds"],
        [
            ["calamine, reading alone, CPU", reading],
            ["the child that reads, CPU", cost["child"]],
            ["the worker, CPU", cost["worker"]],
            ["PostgreSQL, CPU", cost["PostgreSQL"]],
            ["by the clock", cost["seconds"]],
        ],
    )
    found.table(
        "Its memory", ["", "MB"], [["worker", memory["worker_mb"]], ["child", memory["child_mb"]]]
    )
