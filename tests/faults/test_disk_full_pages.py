"""F15 at the pages: an import and a start refuse with a sentence, and nothing is half-done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from accounts.models import Role
from campaigns.models import ContentGrant, DataKey, Workbook
from tests.fakes import sheets
from tests.views.scene import Scene

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="SQLite's file is full in test_disk_full's way"
    ),
]
SENTENCE = "已经记录下来"


@pytest.fixture
def full() -> Iterator[None]:
    """The database's own error for a full disk, at the tables that an upload and a launch write."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$"
        )
        for table, event in (("workbookfile", "INSERT"), ("campaign", "UPDATE")):
            cursor.execute(
                f"CREATE TRIGGER disk_full BEFORE {event} ON campaigns_{table} "
                "FOR EACH ROW EXECUTE FUNCTION disk_full()"
            )
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION disk_full CASCADE")


def test_an_upload_refuses_with_a_sentence_and_leaves_nothing(full: None) -> None:
    client = Scene().client(Role.HR)
    client.raise_request_exception = False
    file = SimpleUploadedFile("工资.xlsx", sheets.payroll(3))
    answer = client.post("/workbooks/upload/", {"purpose": "payslip", "file": file})
    assert answer.status_code == 500
    assert SENTENCE in answer.content.decode()
    assert not any(model.objects.exists() for model in (Workbook, DataKey, ContentGrant))


def test_a_start_refuses_with_a_sentence_and_starts_when_there_is_space(full: None) -> None:
    scene = Scene()
    scene.key()
    hr = scene.user(Role.HR)
    campaign, client = scene.payslips(hr), scene.client(user=hr)
    client.raise_request_exception = False
    page = f"/campaigns/{campaign.pk}/launch/"
    answer = client.post(page, {"when": "now"})
    assert answer.status_code == 500
    assert SENTENCE in answer.content.decode()
    campaign.refresh_from_db()
    assert (campaign.state, campaign.frozen_html) == ("draft", "")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE campaigns_campaign DISABLE TRIGGER disk_full")
    assert client.post(page, {"when": "now"}).status_code == 302
    campaign.refresh_from_db()
    assert campaign.state == "scheduled"
