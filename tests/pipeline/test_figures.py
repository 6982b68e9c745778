"""A payroll is added up after its reading, sealed; totals say which row explains a difference."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import Role, User
from campaigns.models import Workbook
from campaigns.models.workbook import ReadingState
from campaigns.pipeline import destroy, figures, load
from tests.fakes import sheets
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ROWS = [
    ("G0001", "员工1", "p1@example.com", 9000, 8000.10),
    ("G0002", "员工2", "p2@example.com; p2@home.example.com", 9000, 8000.20),
    ("G0003", "员工3", "", 5000, 4500),
    ("合计", "", "", 23000, 20500.30),
]


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def hr(scene: Scene) -> User:
    return scene.user(Role.HR)


def read(scene: Scene, hr: User, rows: list[Any]) -> Workbook:
    workbook = load.upload(
        team=scene.team, user=hr, purpose="payslip", name="a.xlsx", data=sheets.payroll(rows)
    )
    load.read(workbook.pk)
    return Workbook.objects.select_related("data_key").get(pk=workbook.pk)


def made(scene: Scene, hr: User, rows: list[Any]) -> Workbook:
    workbook = read(scene, hr, rows)
    assert figures.waiting() == [workbook.pk]
    figures.make(workbook.pk)
    assert figures.waiting() == []
    return Workbook.objects.select_related("data_key").get(pk=workbook.pk)


def total(workbook: Workbook, column: str) -> dict[str, Any]:
    found = {one["column"]: one for one in workbook.figures["totals"]}
    return found[column]


def test_a_difference_names_the_row_that_is_not_sent(scene: Scene, hr: User) -> None:
    workbook = made(scene, hr, ROWS)
    net = total(workbook, "实发工资")
    assert net["sum"] == "16000.3"  # a row with two addresses counts once
    assert (net["difference"], net["verdict"]) == ("4500.0", "explained")
    assert net["left"] == [[5, "no address", "4500"]]


def test_a_row_that_a_person_left_out_explains_it_too(scene: Scene, hr: User) -> None:
    workbook = read(scene, hr, ROWS)
    assert load.move_rows(workbook, reading=workbook.reading, leave=[3])
    load.read(workbook.pk)
    figures.make(workbook.pk)
    workbook = Workbook.objects.get(pk=workbook.pk)
    why = {row: told for row, told, _value in total(workbook, "实发工资")["left"]}
    assert why == {3: "skipped by hand", 5: "no address"}


def test_a_wrong_total_is_said_to_be_unexplained(scene: Scene, hr: User) -> None:
    workbook = made(scene, hr, [*ROWS[:2], ("合计", "", "", 18000, 16000.31)])
    assert total(workbook, "实发工资")["verdict"] == "differs"
    assert total(workbook, "应发工资")["verdict"] == "equal"


def test_figures_go_with_the_content_and_are_unreadable_without_the_key(
    scene: Scene, hr: User
) -> None:
    workbook = made(scene, hr, ROWS)
    assert workbook.sealed_figures is not None
    assert b"16000" not in bytes(workbook.sealed_figures)
    scene.payslips(hr, workbook=workbook, state="finished", name="已发")
    assert destroy.destroy(workbook) == []
    workbook.refresh_from_db()
    assert workbook.sealed_figures is None
    assert figures.waiting() == []


def test_another_worker_and_a_new_reading_leave_no_half_figures(scene: Scene, hr: User) -> None:
    workbook = read(scene, hr, ROWS)
    Workbook.objects.filter(pk=workbook.pk).update(state=ReadingState.UPLOADED)
    figures.make(workbook.pk)
    workbook.refresh_from_db()
    assert workbook.figures_due
    assert workbook.sealed_figures is None
