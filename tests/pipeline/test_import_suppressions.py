"""A confirmed list becomes suppressions once, for one list or for all, and what stands already stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Team
from campaigns.models import ContactList, Suppression, SuppressionImport, Workbook
from campaigns.models.feedback import SuppressionReason
from campaigns.models.workbook import ReadingState
from campaigns.pipeline import destroy, import_suppressions
from tests import cast
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ROWS = [("甲", "A@x.cn"), ("乙", "b@x.cn"), ("甲", "a@x.cn"), ("丙", "c@x.cn")]


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def book(scene: Scene) -> Workbook:
    return scene.workbook(rows=ROWS, columns=["姓名", "邮箱"], purpose="list", name="退订.xlsx")


@pytest.fixture(params=["in rows", "in blocks"])
def either(request: pytest.FixtureRequest, book: Workbook) -> Workbook:
    return cast.fold(book) if request.param == "in blocks" else book


def keys(contact_list: ContactList | None = None) -> set[str]:
    rows = Suppression.objects.filter(contact_list=contact_list)
    return set(rows.values_list("address_key", flat=True))


def done(book: Workbook, contact_list: ContactList | None = None) -> SuppressionImport:
    row = import_suppressions.begin(book, contact_list, reason=SuppressionReason.UNSUBSCRIBED)
    assert row is not None
    assert import_suppressions.waiting() == [row.pk]
    assert import_suppressions.run(row.pk) == len(ROWS)
    row.refresh_from_db()
    assert row.ended_at is not None
    return row


def test_every_address_is_suppressed_once_with_where_it_came_from(either: Workbook) -> None:
    row = done(either)
    assert (row.done, row.added) == (4, 3)
    assert keys() == {"a@x.cn", "b@x.cn", "c@x.cn"}
    stored = Suppression.objects.get(address_key="b@x.cn")
    assert (stored.reason, stored.source) == (SuppressionReason.UNSUBSCRIBED, "退订.xlsx")
    assert import_suppressions.waiting() == []
    assert import_suppressions.run(row.pk) == 0


def test_for_one_list_the_others_are_left_alone(scene: Scene, book: Workbook) -> None:
    readers = scene.contacts("a@x.cn")
    done(book, readers)
    assert keys(readers) == {"a@x.cn", "b@x.cn", "c@x.cn"}
    assert keys() == set()


def test_what_is_suppressed_already_keeps_its_reason(scene: Scene, book: Workbook) -> None:
    Suppression.objects.create(
        team=scene.team, address="b@x.cn", address_key="b@x.cn", reason="complaint"
    )
    assert done(book).added == 2
    assert Suppression.objects.get(address_key="b@x.cn").reason == SuppressionReason.COMPLAINT


def test_another_teams_addresses_stay_mailable(book: Workbook) -> None:
    done(book)
    assert not Suppression.objects.filter(team=Team.objects.create(name="乙")).exists()


def test_one_workbook_is_imported_by_one_at_a_time_and_again_later(book: Workbook) -> None:
    first = import_suppressions.begin(book, None, reason="manual")
    assert first is not None
    assert import_suppressions.begin(book, None, reason="manual") is None
    import_suppressions.run(first.pk)
    assert done(book).added == 0


@pytest.mark.parametrize(
    "fields", [{"purpose": "payslip"}, {"purpose": "list", "state": ReadingState.READ}]
)
def test_a_payroll_and_what_nobody_confirmed_are_not_imported(
    scene: Scene, fields: dict[str, str]
) -> None:
    assert import_suppressions.begin(scene.workbook(**fields), None, reason="manual") is None


def test_a_destroyed_workbook_is_not_imported(book: Workbook) -> None:
    assert destroy.destroy(book) == []
    assert import_suppressions.begin(book, None, reason="manual") is None


def test_a_worker_that_died_is_followed_by_one_that_goes_on(
    book: Workbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = import_suppressions.begin(book, None, reason="manual")
    assert row is not None
    take = import_suppressions._take

    def dies(*args: object) -> bool:
        take(*args)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(import_suppressions, "chunk_size", lambda: 2)
    monkeypatch.setattr(import_suppressions, "_take", dies)
    with pytest.raises(KeyboardInterrupt):
        import_suppressions.run(row.pk)
    monkeypatch.setattr(import_suppressions, "_take", take)
    assert import_suppressions.run(row.pk) == 0  # its lease has not ended
    SuppressionImport.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert import_suppressions.run(row.pk) == 2
    row.refresh_from_db()
    assert (row.done, row.added) == (4, 3)
