"""The card of a draft on which a zip of people's own files is uploaded."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import Role
from campaigns.models import EnclosureArchive
from campaigns.pipeline import enclose
from tests.documents.test_archive import a_zip

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(scene):
    return scene.user(Role.HR)


@pytest.fixture
def campaign(scene, user):
    return scene.payslips(user)


def upload(client, campaign, data, **more):
    file = SimpleUploadedFile("资料.zip", data)
    form = {"file": file, "column": "姓名", **more}
    return client.post(f"/campaigns/{campaign.pk}/files/", form, follow=True)


def card(client, campaign):
    return client.get(f"/campaigns/{campaign.pk}/files/").content.decode()


def test_a_zip_is_uploaded_read_and_matched(scene, user, campaign):
    client = scene.client(user=user)
    assert (
        "正在读取"
        in upload(client, campaign, a_zip(("李雷.pdf", b"x"), ("谁.pdf", b"y"))).content.decode()
    )
    assert 'hx-trigger="every 2s"' in card(client, campaign)
    enclose.read(EnclosureArchive.objects.get().pk)
    page = card(client, campaign)
    assert "1 个文件有主人" in page
    assert "谁.pdf" in page
    client.post(f"/campaigns/{campaign.pk}/files/remove/")
    assert not EnclosureArchive.objects.exists()


def test_no_file_and_a_column_that_is_not_there_are_said(scene, user, campaign):
    client = scene.client(user=user)
    page = client.post(f"/campaigns/{campaign.pk}/files/", {"column": "姓名"}, follow=True)
    assert "请选择一个文件" in page.content.decode()
    upload(client, campaign, a_zip(("a", b"")), column="没有的列")
    assert not EnclosureArchive.objects.exists()


def test_a_file_beyond_the_limit_is_not_kept(scene, user, campaign, settings):
    settings.MAX_ARCHIVE_BYTES = 1000
    page = upload(scene.client(user=user), campaign, a_zip(("a", bytes(range(256)) * 20), how=0))
    assert "没有接收" in page.content.decode()
    assert not EnclosureArchive.objects.exists()


def test_a_launched_campaign_takes_no_more(scene, user, campaign):
    type(campaign).objects.update(state="running")
    page = upload(scene.client(user=user), campaign, a_zip(("李雷.pdf", b"x")))
    assert "只有草稿能修改" in page.content.decode()
    assert not EnclosureArchive.objects.exists()


def test_without_a_grant_nobody_uploads_or_sees(scene, campaign):
    client = scene.client(Role.HR)
    assert client.get(f"/campaigns/{campaign.pk}/files/").status_code == 403
    assert upload(client, campaign, a_zip(("李雷.pdf", b"x"))).status_code == 403


def test_an_upload_needs_its_token(scene, user, campaign):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert upload(client, campaign, a_zip(("李雷.pdf", b"x"))).status_code == 403


def test_a_refused_zip_names_the_file_that_is_the_cause(scene, user, campaign):
    client = scene.client(user=user)
    upload(client, campaign, a_zip(("李雷.pdf", b"x" * (10 * 1024 * 1024 + 1))))
    enclose.read(EnclosureArchive.objects.get().pk)
    assert "出错的文件：<span" in card(client, campaign)
    assert "李雷.pdf" in card(client, campaign)
