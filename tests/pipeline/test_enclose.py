"""People's own files: matched by a column, sent to their person alone, and never by guessing."""

from __future__ import annotations

import email
import email.policy
import io

import pikepdf
import pytest

from accounts.models import User
from campaigns import tasks
from campaigns.models import Campaign, Enclosure, EnclosureArchive, Workbook
from campaigns.pipeline import enclose, preflight, preview
from campaigns.pipeline.compose import Composer, Unsendable
from campaigns.pipeline.destroy import destroy
from tests.cast import a_campaign, a_payroll, a_relay, a_team, a_user
from tests.documents.test_archive import a_zip
from tests.documents.test_protect import a_pdf
from tests.documents.test_trial import a_swelling_pdf

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SECRET = b"CANARY-8888.88"


@pytest.fixture
def user() -> User:
    return a_user(a_team())


@pytest.fixture
def campaign(user: User) -> Campaign:
    """Three rows, whose staff numbers are 00004, 00005 and 00006."""
    team = user.teams.first()
    assert team is not None
    addresses = ["wang@corp.example", "li@corp.example", "han@corp.example"]
    return a_campaign(a_relay(team), a_payroll(team, addresses))


def enclosed(
    campaign: Campaign, user: User, *files: tuple[str, bytes], protect: bool = False
) -> EnclosureArchive:
    archive = enclose.upload(
        campaign, user, name="files.zip", data=a_zip(*files), column="工号", protect=protect
    )
    assert archive is not None
    enclose.read(archive.pk)
    return EnclosureArchive.objects.get(pk=archive.pk)


def sent(campaign: Campaign, number: int) -> dict[str, bytes]:
    """The files of the message to the row of this number: name → octets."""
    campaign = Campaign.objects.get(pk=campaign.pk)
    assert campaign.workbook is not None
    assert campaign.relay is not None
    row = campaign.workbook.rows.get(number=number)
    delivery = preview.delivery_for(campaign, row)
    content = Composer(campaign, campaign.relay).compose(delivery).content
    message = email.message_from_bytes(content, policy=email.policy.default)
    return {
        part.get_filename() or "": part.get_payload(decode=True)
        for part in message.iter_attachments()
    }


def found(campaign: Campaign) -> dict[str, int]:
    findings = preflight.check(Campaign.objects.get(pk=campaign.pk))
    return {finding.kind: finding.total for finding in findings}


def test_each_person_gets_the_files_that_begin_with_his_number(
    campaign: Campaign, user: User
) -> None:
    enclosed(
        campaign,
        user,
        ("资料/00004.pdf", b"four"),
        ("资料/00005-合同.pdf", b"five"),
        ("资料/00005_个税.pdf", b"tax"),
    )
    assert sent(campaign, 4) == {"00004.pdf": b"four"}
    assert sent(campaign, 5) == {"00005-合同.pdf": b"five", "00005_个税.pdf": b"tax"}


def test_who_has_no_file_does_not_go_out_and_says_so(campaign: Campaign, user: User) -> None:
    enclosed(campaign, user, ("00004.pdf", b"four"), ("00005.pdf", b"five"))
    with pytest.raises(Unsendable) as caught:
        sent(campaign, 6)
    assert (caught.value.reason, caught.value.detail) == ("no_enclosure", "11月!6")
    assert found(campaign)["no_enclosure"] == 1


def test_a_file_of_nobody_and_one_of_two_are_listed_and_not_sent(
    campaign: Campaign, user: User
) -> None:
    workbook = campaign.workbook
    assert workbook is not None
    twin, other = workbook.rows.order_by("number")[:2]
    opened = workbook.data_key.open_json(twin.sealed)
    other.sealed = workbook.data_key.seal_json(opened)
    other.save()
    archive = enclosed(campaign, user, ("00004.pdf", b"four"), ("99999.pdf", b"nobody's"))
    assert (archive.unmatched_count, archive.ambiguous_count) == (1, 1)
    assert not Enclosure.objects.exclude(row=None).exists()
    assert found(campaign)["enclosures_left"] == 2


def test_a_longer_number_is_never_taken_for_a_shorter_one(campaign: Campaign, user: User) -> None:
    archive = enclosed(campaign, user, ("000045.pdf", b"somebody else's"))
    assert archive.unmatched_count == 1


def test_the_payslips_password_protects_them_where_asked(campaign: Campaign, user: User) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(
        attachment="xlsx", password_column="工号", password_tail=0
    )
    campaign.refresh_from_db()
    enclosed(campaign, user, ("00004.pdf", a_pdf()), protect=True)
    made = sent(campaign, 4)["00004.pdf"]
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(io.BytesIO(made))
    pikepdf.open(io.BytesIO(made), password="00004").close()


def test_files_that_anybody_could_open_are_warned_of(campaign: Campaign, user: User) -> None:
    files = [(f"0000{number}.pdf", a_pdf()) for number in (4, 5)]
    enclosed(campaign, user, *files, ("00006.pdf", a_pdf("theirs")))
    assert found(campaign)["enclosures_in_clear"] == 2


def test_names_and_contents_are_sealed(campaign: Campaign, user: User) -> None:
    archive = enclosed(campaign, user, ("00004-张三.pdf", SECRET))
    file = Enclosure.objects.get()
    for octets in (file.sealed, file.sealed_name, archive.sealed_findings):
        assert SECRET not in bytes(octets)
        assert "张三".encode() not in bytes(octets)
    assert EnclosureArchive.objects.get().sealed is None


def test_a_bad_archive_is_rejected_as_a_whole(campaign: Campaign, user: User) -> None:
    archive = enclose.upload(
        campaign, user, name="x.zip", data=b"no zip", column="工号", protect=False
    )
    assert archive is not None
    enclose.read(archive.pk)
    archive.refresh_from_db()
    assert (archive.state, archive.reject_kind) == ("rejected", "zip")
    assert "enclosures_rejected" in found(campaign)
    assert enclose.remove(campaign)
    assert "enclosures_rejected" not in found(campaign)


def test_what_was_launched_during_the_upload_keeps_its_files(
    campaign: Campaign, user: User
) -> None:
    seen_as_draft = Campaign.objects.get(pk=campaign.pk)
    before = enclosed(campaign, user, ("00004.pdf", b"four"))
    Campaign.objects.update(state="scheduled")
    other = {"name": "y.zip", "data": a_zip(("00004.pdf", b"other")), "column": "工号"}
    assert enclose.upload(seen_as_draft, user, **other, protect=False) is None  # type: ignore[arg-type]
    assert not enclose.remove(seen_as_draft)
    assert list(EnclosureArchive.objects.values_list("pk", flat=True)) == [before.pk]


def test_files_are_matched_once_the_payroll_is_confirmed(
    campaign: Campaign, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    Workbook.objects.update(state="read")
    archive = enclosed(campaign, user, ("00004.pdf", b"four"))
    assert archive.matched_reading is None
    assert "enclosures_unread" in found(campaign)
    with pytest.raises(Unsendable):
        sent(campaign, 4)
    Workbook.objects.update(state="confirmed")
    monkeypatch.setattr(tasks.read_enclosures, "delay", tasks.read_enclosures)
    tasks.tick()
    assert sent(campaign, 4) == {"00004.pdf": b"four"}


def test_files_of_the_workbook_before_are_asked_for_anew(campaign: Campaign, user: User) -> None:
    enclosed(campaign, user, ("00004.pdf", b"four"))
    other = a_payroll(campaign.team, ["wang@corp.example"])
    Campaign.objects.filter(pk=campaign.pk).update(workbook=other)
    enclose.workbook_changed(campaign.pk)
    assert "enclosures_rejected" in found(campaign)
    with pytest.raises(Unsendable):
        sent(campaign, 4)
    enclosed(Campaign.objects.get(pk=campaign.pk), user, ("00004.pdf", b"new"))
    assert sent(campaign, 4) == {"00004.pdf": b"new"}


def test_a_second_zip_takes_the_place_of_the_first(campaign: Campaign, user: User) -> None:
    enclosed(campaign, user, ("00004.pdf", b"old"))
    enclosed(campaign, user, ("00004.pdf", b"new"))
    assert sent(campaign, 4) == {"00004.pdf": b"new"}
    assert Enclosure.objects.count() == 1


def test_with_the_content_the_files_are_destroyed(campaign: Campaign, user: User) -> None:
    enclosed(campaign, user, ("00004.pdf", b"four"))
    Campaign.objects.update(state="finished")
    assert campaign.workbook is not None
    assert destroy(campaign.workbook) == []
    assert not Enclosure.objects.exists()


def test_files_that_are_too_heavy_for_a_message_stop_it_alone(
    campaign: Campaign, user: User
) -> None:
    half = b"\0" * (6 * 1024 * 1024)
    enclosed(campaign, user, ("00004-1.bin", half), ("00004-2.bin", half), ("00005.pdf", b"five"))
    assert found(campaign)["enclosures_too_large"] == 1
    with pytest.raises(Unsendable) as caught:
        sent(campaign, 4)
    assert caught.value.reason == "attachment_too_large"
    assert sent(campaign, 5)


def test_a_pdf_that_would_fill_the_memory_is_named_and_nothing_is_taken(
    campaign: Campaign, user: User
) -> None:
    archive = enclosed(campaign, user, ("00004.pdf", a_pdf()), ("00005.pdf", a_swelling_pdf()))
    assert (archive.state, archive.reject_kind) == ("rejected", "heavy")
    assert not Enclosure.objects.exists()
    assert archive.sealed_findings is not None
    assert b"00005" not in bytes(archive.sealed_findings)
    found = archive.campaign.workbook.data_key.open_json(archive.sealed_findings)
    assert found == {"cause": "00005.pdf"}


def test_files_that_belong_to_nobody_block(campaign: Campaign, user: User) -> None:
    enclosed(campaign, user, ("合同.pdf", b"x"))
    assert found(campaign)["no_enclosure_any"] == 0
    enclosed(campaign, user, ("00004.pdf", b"x"))
    assert "no_enclosure_any" not in found(campaign)
