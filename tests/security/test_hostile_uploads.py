"""Hostile workbooks through the page (ASVS 5.2, 1.5.1): refused with a sentence, fast, and nothing is left.

How much memory each costs the child is measured in tests/workbooks/test_hostile.py.
"""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from accounts.models import Role
from campaigns.models import Workbook, WorkbookRow
from campaigns.pipeline import load
from tests.views.scene import Scene
from tests.workbooks.test_hostile import HOSTILE

pytestmark = [pytest.mark.django_db(transaction=True)]

NAMES = [
    "../../../etc/cron.d/x.xlsx",
    "..\\..\\x.xlsx",
    "a\0b.xlsx",
    "x.exe",
    "<b>.xlsx",
    "." * 400,
]


def upload(scene: Scene, data: bytes, name: str = "工资.xlsx") -> tuple[int, Workbook | None]:
    client = scene.client(Role.HR)
    file = SimpleUploadedFile(name, data)
    url = reverse("campaigns:workbook_upload")
    answer = client.post(url, {"purpose": "payslip", "file": file})
    return answer.status_code, Workbook.objects.order_by("-pk").first()


def cpu_seconds() -> float:
    """What this process and its ended children have used: other tests share the machine's clock."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@pytest.mark.slow
@pytest.mark.parametrize("attack", HOSTILE)
def test_it_is_refused_with_a_sentence_in_three_seconds(
    attack: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(load, "clear_place", lambda: tmp_path)
    make, kinds = HOSTILE[attack]
    data = make()
    scene = Scene()
    begun = cpu_seconds()
    status, workbook = upload(scene, data)
    if workbook is None:
        assert status in (413, 422)
    else:
        assert cpu_seconds() - begun < 3, "the page itself reads nothing"
        begun = cpu_seconds()
        load.read(workbook.pk)
        workbook.refresh_from_db()
        assert workbook.state == "rejected"
        assert workbook.reject_kind in {kind.value for kind in kinds}
        page = scene.client(Role.HR).get(reverse("campaigns:workbook", args=[workbook.pk]))
        assert page.status_code == 200
        assert "Traceback" not in page.content.decode()
    assert cpu_seconds() - begun < 3
    assert not WorkbookRow.objects.exists()
    assert list(tmp_path.iterdir()) == [], "no clear copy is left"


def test_nothing_bigger_than_the_limit_is_taken(settings: object) -> None:
    settings.MAX_WORKBOOK_BYTES = 1000  # type: ignore[attr-defined]
    status, workbook = upload(Scene(), b"x" * 2000)
    assert status == 413
    assert workbook is None


@pytest.mark.parametrize("name", NAMES)
def test_a_file_name_is_a_name_and_no_path(name: str) -> None:
    status, workbook = upload(Scene(), b"a,b\n1,2\n", name)
    assert status in (302, 422)
    if workbook is not None:
        assert "/" not in workbook.name
        assert "\\" not in workbook.name
        assert workbook.name.isprintable()
        assert len(workbook.name) <= 255
