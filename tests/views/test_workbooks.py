"""Pages of workbooks: uploaded, read, checked and confirmed; and what nobody else gets to see."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import Role, User
from campaigns.models import ContactList, Workbook
from campaigns.models.workbook import ReadingState
from campaigns.pipeline import import_contacts
from tests.fakes import sheets
from tests.views.scene import Scene
from tests.views.workbook_pages import CORPUS, again, page, post, text, uploaded

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(scene: Scene, hr: User) -> Client:
    return scene.client(user=hr)


# Upload --------------------------------------------------------------------------------------------


def test_an_upload_leads_to_its_page_with_live_progress(client: Client) -> None:
    response = post(client, sheets.payroll(2))
    workbook = Workbook.objects.get()
    assert response.url == f"/workbooks/{workbook.pk}/"
    assert f'hx-get="/workbooks/{workbook.pk}/progress/"' in page(client, workbook)


def test_htmx_is_told_where_to_go(client: Client) -> None:
    response = post(client, sheets.payroll(2), headers={"HX-Request": "true"})
    assert response.headers["HX-Redirect"] == f"/workbooks/{Workbook.objects.get().pk}/"


@pytest.mark.parametrize(
    ("data", "htmx", "status", "sentence"),
    [
        (b"", True, 422, "这个文件是空的"),
        (b"x" * 2001, True, 422, "文件超过了"),
        (b"x" * 2001, False, 413, "文件超过了"),
    ],
)
def test_an_empty_or_too_big_file_is_refused_in_a_sentence(
    client: Client, settings: Any, data: bytes, htmx: bool, status: int, sentence: str
) -> None:
    settings.MAX_WORKBOOK_BYTES = 2000
    response = post(client, data, headers={"HX-Request": "true"} if htmx else {})
    assert (response.status_code, sentence in text(response)) == (status, True)
    assert not Workbook.objects.exists()


def test_a_form_without_a_file_says_so(client: Client) -> None:
    response = client.post("/workbooks/upload/", {"purpose": "payslip"})
    assert "请选择一个文件" in text(response)


def test_an_upload_never_touches_the_disk_in_clear(
    client: Client, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "FILE_UPLOAD_TEMP_DIR", str(tmp_path / "missing"))
    assert post(client, b"a" * (3 << 20)).status_code == 302


def test_a_second_file_in_the_request_is_dropped(client: Client) -> None:
    files = [SimpleUploadedFile(f"{n}.csv", b"x") for n in range(3)]
    response = client.post("/workbooks/upload/", {"purpose": "payslip", "file": files})
    assert response.status_code == 302
    assert Workbook.objects.get().name == "0.csv"


def test_an_upload_without_the_csrf_token_is_refused(hr: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(hr)
    assert post(client, b"x").status_code == 403
    assert not Workbook.objects.exists()
    client.get("/workbooks/upload/")
    token = client.cookies["csrftoken"].value
    assert post(client, b"x", headers={"X-CSRFToken": token}).status_code == 302


@pytest.mark.parametrize(
    ("role", "purpose", "allowed"),
    [
        (Role.HR, "payslip", True),
        (Role.HR, "list", False),
        (Role.MARKETER, "list", True),
        (Role.MARKETER, "payslip", False),
        (Role.OWNER, "payslip", False),
    ],
)
def test_a_purpose_needs_its_right(scene: Scene, role: Role, purpose: str, allowed: bool) -> None:
    response = post(scene.client(role), b"x", purpose=purpose)
    assert response.status_code == (302 if allowed else 422)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MAIL_ADMIN])
@pytest.mark.parametrize("url", ["/workbooks/", "/workbooks/upload/"])
def test_others_may_not_open_the_pages(scene: Scene, role: Role, url: str) -> None:
    assert scene.client(role).get(url).status_code == 403


def test_a_stranger_is_sent_to_sign_in_before_the_file_is_taken() -> None:
    response = post(Client(), b"x")
    assert "sign-in" in response.url


# Hostile files ----------------------------------------------------------------------------------------


def bomb() -> bytes:
    """A kilobyte on disk for every megabyte unpacked."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        package.writestr("xl/workbook.xml", "<workbook/>")
        package.writestr("xl/worksheets/sheet1.xml", b"0" * (300 << 20))
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (bomb, "size limit"),
        ((CORPUS / "s10_xxe.xlsx").read_bytes, "DOCTYPE"),
        ((CORPUS / "s08_password.xlsx").read_bytes, "这个文件有打开密码"),
        (lambda: b"%PDF-1.7", "这不是工作簿"),
    ],
    ids=["bomb", "xxe", "password", "pdf"],
)
def test_a_hostile_file_ends_in_a_sentence(client: Client, data: Any, sentence: str) -> None:
    workbook = uploaded(client, data(), name="<img src=x>工资.xlsx")
    html = page(client, workbook)
    assert sentence in html
    assert "<img src=x>" not in html
    assert workbook.state == ReadingState.REJECTED


# A list into a ContactList -----------------------------------------------------------------------------


@pytest.fixture
def marketer(scene: Scene) -> Client:
    return scene.client(Role.MARKETER)


def confirmed_list(client: Client) -> Workbook:
    workbook = uploaded(client, sheets.csv(3), purpose="list", name="读者.csv")
    client.post(f"/workbooks/{workbook.pk}/confirm/", {"reading": workbook.reading})
    return again(workbook)


def test_a_confirmed_list_goes_into_a_new_list_by_a_worker(marketer: Client) -> None:
    workbook = confirmed_list(marketer)
    url = f"/workbooks/{workbook.pk}/import/"
    marketer.post(url, {"new_name": "读者"})
    assert "正在导入到“读者”" in page(marketer, workbook)
    assert "正在从“读者.csv”导入" in text(marketer.get(f"/lists/{ContactList.objects.get().pk}/"))
    import_contacts.run(workbook.pk)
    assert "已把 3 行导入到“读者”" in page(marketer, workbook)
    assert ContactList.objects.get().members.count() == 3


@pytest.mark.parametrize(
    ("form", "sentence"),
    [({}, "二者选一"), ({"new_name": "已有"}, "已有同名的名单"), ({"contact_list": "0"}, "选择")],
)
def test_an_import_without_a_clear_target_is_refused(
    marketer: Client, scene: Scene, form: dict[str, str], sentence: str
) -> None:
    ContactList.objects.create(team=scene.team, name="已有")
    workbook = confirmed_list(marketer)
    response = marketer.post(f"/workbooks/{workbook.pk}/import/", form)
    assert (response.status_code, sentence in text(response)) == (422, True)


def test_another_teams_list_is_no_target(marketer: Client) -> None:
    theirs = Scene().contacts()
    workbook = confirmed_list(marketer)
    response = marketer.post(f"/workbooks/{workbook.pk}/import/", {"contact_list": theirs.pk})
    assert response.status_code == 422
    assert again(workbook).import_list is None
