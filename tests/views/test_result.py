"""The result as .xlsx: every recipient, values for a grant alone, and never a formula."""

import csv
import io

import pytest
from django.utils import timezone
from openpyxl import load_workbook

from accounts.models import Role
from campaigns.models import Attempt, Confirmation, Feedback
from tests.views.scene import CANARY, PAYROLL, Scene, deliveries, launched

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def sheet_of(response):
    assert response.status_code == 200
    data = b"".join(response.streaming_content)
    return load_workbook(io.BytesIO(data)).active


def rows_of(response):
    return [[cell.value for cell in row] for row in sheet_of(response).iter_rows()]


def test_as_csv_it_says_the_same_and_a_formula_stays_text(scene, hr):
    rows = [("=1+1", "w@corp.example", "1", "2"), ("李", "l@corp.example", "-5", "6")]
    campaign = launched(scene.payslips(hr, workbook=scene.workbook(hr, rows=rows)))
    deliveries(campaign, "accepted", "accepted")
    client = scene.client(user=hr)
    sheet = rows_of(client.get(f"/campaigns/{campaign.pk}/result/"))
    response = client.get(f"/campaigns/{campaign.pk}/result/?format=csv")
    octets = b"".join(response.streaming_content)
    assert octets.startswith("\ufeff".encode())
    lines = list(csv.reader(io.StringIO(octets.decode("utf-8-sig"), newline="")))
    assert [[cell.removeprefix("'") for cell in line] for line in lines] == [
        [cell or "" for cell in row] for row in sheet
    ]
    assert "'=1+1" in lines[1]
    assert "'-5" in lines[2]


def test_it_has_a_row_per_recipient_with_what_became_of_it(scene, hr):
    campaign = launched(scene.payslips(hr))
    accepted, refused, failed = deliveries(campaign, "accepted", "refused", "failed")
    refused.code, refused.enhanced, refused.reason = 550, "5.1.1", "userunknown"
    refused.save()
    failed.reason, failed.detail = "unreadable_cell", "11月工资!C4"
    failed.save()
    key, now = campaign.workbook.data_key, timezone.now()
    Attempt.objects.create(
        team=scene.team, delivery=refused, relay=refused.relay, started_at=now, ended_at=now,
        phase="rcpt", outcome="refused", content_began=False, code=550,
        sealed_text=key.seal(f"no {CANARY}".encode()),
    )  # fmt: skip
    Feedback.objects.create(
        team=scene.team, delivery=accepted, campaign=campaign, kind="bounce", hard=True,
        address="x", address_key="x", status="5.1.1", reason="userunknown", proof="",
    )  # fmt: skip
    response = scene.client(user=hr).get(f"/campaigns/{campaign.pk}/result/")
    assert "attachment" in response["Content-Disposition"]
    assert "no-store" in response["Cache-Control"]
    header, first, second, third = rows_of(response)
    assert header[-4:] == ["姓名", "邮箱", "应发", "实发"]
    assert first[:3] == ["2", "wang@corp.example", "已提交"]
    assert first[9].startswith("硬退信（未证实） 5.1.1")
    assert second[6:8] == ["550 5.1.1", f"no {CANARY}"]
    assert second[-4:] == list(PAYROLL[1])
    assert "11月工资!C4" in third[8]


def test_without_a_grant_it_has_neither_values_nor_replies(scene, hr):
    campaign = launched(scene.payslips(hr))
    delivery = deliveries(campaign, "accepted", "accepted")[1]
    now = timezone.now()
    Attempt.objects.create(
        team=scene.team, delivery=delivery, relay=delivery.relay, started_at=now, ended_at=now,
        phase="content", outcome="accepted", content_began=True,
        sealed_text=campaign.workbook.data_key.seal(CANARY.encode()),
    )  # fmt: skip
    stranger = scene.user(Role.HR, is_superuser=True)
    rows = rows_of(scene.client(user=stranger).get(f"/campaigns/{campaign.pk}/result/"))
    assert CANARY not in str(rows)
    assert [len(row) for row in rows] == [10, 10, 10]
    assert rows[2][1] == "lilei@corp.example"


def test_what_looks_like_a_formula_stays_text(scene, hr):
    evil = [("=1+1", "a@corp.example", '=HYPERLINK("http://x")', "@SUM(1)")]
    campaign = launched(scene.payslips(hr, workbook=scene.workbook(hr, rows=evil)))
    deliveries(campaign, "accepted")
    sheet = sheet_of(scene.client(user=hr).get(f"/campaigns/{campaign.pk}/result/"))
    cells = next(iter(sheet.iter_rows(min_row=2)))
    assert {cell.data_type for cell in cells if cell.value} <= {"inlineStr", "s"}
    assert cells[12].value == '=HYPERLINK("http://x")'


def test_queries_grow_with_chunks_and_not_with_rows(scene, django_assert_max_num_queries):
    campaign = launched(scene.newsletter())
    deliveries(campaign, *["accepted"] * 120)
    client = scene.client(Role.VIEWER)
    with django_assert_max_num_queries(11):
        rows = rows_of(client.get(f"/campaigns/{campaign.pk}/result/"))
    assert len(rows) == 121


def test_a_destroyed_key_leaves_the_ledger(scene, hr):
    campaign = launched(scene.payslips(hr))
    deliveries(campaign, "accepted")
    key = campaign.workbook.data_key
    key.key = ""
    key.save()
    rows = rows_of(scene.client(user=hr).get(f"/campaigns/{campaign.pk}/result/"))
    assert rows[1][:3] == ["2", "wang@corp.example", "已提交"]
    assert CANARY not in str(rows)


def test_tests_are_left_out_and_other_teams_get_nothing(scene, hr):
    campaign = launched(scene.payslips(hr))
    test = deliveries(campaign, "accepted")[0]
    test.purpose = "test"
    test.save()
    assert len(rows_of(scene.client(user=hr).get(f"/campaigns/{campaign.pk}/result/"))) == 1
    assert Scene().client(Role.HR).get(f"/campaigns/{campaign.pk}/result/").status_code == 404


def test_it_tells_who_opened_confirmed_and_disputed_and_the_words_to_a_reader_alone(scene, hr):
    campaign = launched(scene.payslips(hr, confirm_days=14))
    first, second, _third = deliveries(campaign, "accepted", "accepted", "accepted")
    now, key = timezone.now(), campaign.workbook.data_key
    facts = {"team": scene.team, "campaign": campaign, "opened_at": now}
    Confirmation.objects.create(delivery=first, confirmed_at=now, **facts)
    words = key.seal_json([{"at": now.isoformat(), "text": "=少了 777.77"}])
    Confirmation.objects.create(delivery=second, disputed_at=now, sealed_text=words, **facts)
    url = f"/campaigns/{campaign.pk}/result/"
    header, *rows = rows_of(scene.client(user=hr).get(url))
    start = header.index("用途")
    assert header[start : start + 5] == ["用途", "打开", "确认", "异议", "异议的内容"]
    assert [[bool(cell) for cell in row[start : start + 5]] for row in rows] == [
        [True, True, True, False, False],
        [True, True, False, True, True],
        [True, False, False, False, False],
    ]
    assert rows[1][start + 4] == "=少了 777.77"
    assert "777.77" not in str(rows_of(scene.client(Role.OWNER).get(url)))
