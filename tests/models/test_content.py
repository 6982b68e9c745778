"""Content keys: a payslip's content is sealed, readable with a grant alone, and can be destroyed."""

from __future__ import annotations

import pytest
from django.db import connection

from accounts.models import Role
from campaigns.models import DataKey
from campaigns.models.content import ContentDestroyed
from tests import cast

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_what_is_sealed_comes_back_as_it_was() -> None:
    key = DataKey.objects.create(team=cast.a_team())
    sealed = key.seal_json({"工资": "8888.88"})
    assert b"8888" not in sealed
    assert DataKey.objects.get().open_json(sealed) == {"工资": "8888.88"}
    assert key.seal(b"x") != key.seal(b"x"), "the same content never looks the same"


def test_a_changed_byte_is_noticed() -> None:
    key = DataKey.objects.create(team=cast.a_team())
    sealed = bytearray(key.seal(b"8888.88"))
    sealed[-1] ^= 1
    with pytest.raises(ContentDestroyed):
        key.open(bytes(sealed))


def test_another_workbooks_key_opens_nothing() -> None:
    team = cast.a_team()
    first, second = (DataKey.objects.create(team=team) for _ in range(2))
    with pytest.raises(ContentDestroyed):
        second.open(first.seal(b"x"))


def test_a_destroyed_key_destroys_the_content() -> None:
    key = DataKey.objects.create(team=cast.a_team())
    sealed = key.seal(b"8888.88")
    DataKey.objects.filter(pk=key.pk).update(key="")
    with pytest.raises(ContentDestroyed):
        DataKey.objects.get().open(sealed)


def test_the_database_holds_neither_the_key_nor_the_rows_in_clear() -> None:
    team = cast.a_team()
    workbook = cast.a_payroll(team, ["a@example.com"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM campaigns_datakey")
        (stored,) = cursor.fetchone()
        assert str(workbook.data_key.key) not in stored
        cursor.execute("SELECT sealed FROM campaigns_workbookrow")
        (sealed,) = cursor.fetchone()
    assert b"8204.00" not in bytes(sealed)


def test_only_a_grant_opens_a_payroll_not_being_owner_or_superuser() -> None:
    team = cast.a_team()
    workbook = cast.a_payroll(team, ["a@example.com"])
    owner = cast.a_user(team, Role.OWNER)
    owner.is_superuser = True
    hr = cast.a_user(team, Role.HR, email="hr@corp.example.com")
    cast.grant(hr, workbook)
    assert workbook.content_visible_to(hr)
    assert not workbook.content_visible_to(owner)
    campaign = cast.a_campaign(cast.a_relay(team), workbook)
    assert not campaign.content_visible_to(hr), "a grant for the workbook is none for a campaign"
    cast.grant(hr, campaign)
    assert campaign.content_visible_to(hr)
