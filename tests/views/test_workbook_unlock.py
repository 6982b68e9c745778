"""A protected workbook: its password is asked for, used once, and found nowhere afterwards."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.utils import timezone

from accounts.models import Role, SignInFailure, User
from campaigns.models import ContentGrant, Workbook, WorkbookFile
from campaigns.models.workbook import ReadingState
from campaigns.pipeline import load
from campaigns.pipeline import unlock as unlocking
from campaigns.workbooks.problems import RejectKind, WorkbookRejected
from tests.views.scene import Scene
from tests.views.workbook_pages import CORPUS, again, page, text, uploaded

pytestmark = pytest.mark.django_db
LOCKED = (CORPUS / "s08_password.xlsx").read_bytes()
PASSWORD, WRONG = "123456", "canary-wrong-password"


@pytest.fixture
def client(scene: Scene, hr: User) -> Client:
    return scene.client(user=hr)


def unlock(client: Client, workbook: Workbook, password: str) -> Any:
    return client.post(f"/workbooks/{workbook.pk}/unlock/", {"password": password})


def test_a_wrong_password_is_asked_for_again_and_the_right_one_opens_it(client: Client) -> None:
    workbook = uploaded(client, LOCKED)
    assert "这个文件有打开密码" in page(client, workbook)
    refused = unlock(client, workbook, WRONG)
    assert (refused.status_code, "密码不对，请再试一次" in text(refused)) == (422, True)
    assert WRONG not in text(refused)
    assert unlock(client, workbook, PASSWORD).status_code == 302
    load.read(workbook.pk)
    workbook = again(workbook)
    assert (workbook.state, workbook.row_count) == (ReadingState.READ, 1)
    # A correction reads again without asking.
    assert load.reset(workbook, reading=workbook.reading)
    load.read(workbook.pk)
    assert again(workbook).state == ReadingState.READ
    assert "不需要密码" in text(client.get(unlock(client, workbook, "x").url))


def test_what_is_kept_is_sealed_and_the_password_lies_nowhere(
    client: Client, caplog: pytest.LogCaptureFixture, hr: User
) -> None:
    caplog.set_level(logging.DEBUG)
    workbook = uploaded(client, LOCKED)
    unlock(client, workbook, WRONG)
    unlock(client, workbook, PASSWORD)
    file = WorkbookFile.objects.get(workbook=workbook)
    assert not bytes(file.sealed).startswith(b"PK\x03\x04")
    assert again(workbook).data_key.open(file.sealed).startswith(b"PK")
    rows = [str(list(model._default_manager.values())) for model in apps.get_models()]
    for password in (WRONG, PASSWORD):
        assert password not in caplog.text
        assert not [row for row in rows if f"'{password}'" in row or f'"{password}"' in row]


def test_a_failure_while_unlocking_names_no_password(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise OSError("no more processes")

    monkeypatch.setattr(unlocking, "unlocked", broken)
    client.raise_request_exception = False
    workbook = uploaded(client, LOCKED)
    answer = unlock(client, workbook, WRONG)
    assert answer.status_code == 500
    assert WRONG not in text(answer) + caplog.text
    assert "这个文件有打开密码" in page(client, workbook)


def test_who_has_no_grant_cannot_unlock(client: Client, scene: Scene) -> None:
    workbook = uploaded(client, LOCKED)
    assert unlock(scene.client(Role.HR), workbook, PASSWORD).status_code == 403


def test_who_types_too_many_wrong_passwords_waits(
    client: Client, scene: Scene, hr: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def judged(_data: bytes, password: str) -> bytes:
        tried.append(password)
        raise WorkbookRejected(RejectKind.WRONG_PASSWORD)

    monkeypatch.setattr(unlocking, "unlocked", judged)
    workbooks = [uploaded(client, LOCKED), uploaded(client, LOCKED)]
    for number in range(unlocking.MOST):
        assert "密码不对" in text(unlock(client, workbooks[number % 2], WRONG))
    refused = unlock(client, workbooks[0], PASSWORD)
    assert (refused.status_code, "请 15 分钟后再试" in text(refused)) == (422, True)
    assert len(tried) == unlocking.MOST
    colleague = scene.user(Role.HR)
    for workbook in workbooks:
        ContentGrant.objects.create(team=scene.team, user=colleague, workbook=workbook)
    assert "密码不对" in text(unlock(scene.client(user=colleague), workbooks[0], WRONG))
    SignInFailure.objects.update(at=timezone.now() - unlocking.WINDOW)
    assert "密码不对" in text(unlock(client, workbooks[0], WRONG))


def test_the_right_password_forgets_the_wrong_ones(client: Client) -> None:
    workbook = uploaded(client, LOCKED)
    unlock(client, workbook, WRONG)
    assert SignInFailure.objects.count() == 1
    unlock(client, workbook, PASSWORD)
    assert not SignInFailure.objects.exists()
