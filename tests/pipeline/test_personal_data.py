"""What a team holds about one person, handed out and erased: complete, without payslips, and for good."""

from __future__ import annotations

import io
import json
from typing import Any

import openpyxl
import pytest
from django.utils import timezone

from accounts.models import BounceMailbox
from campaigns.mailer import bounce
from campaigns.mailer.address import Mailbox
from campaigns.models import (
    Attempt,
    Campaign,
    Contact,
    Delivery,
    Feedback,
    ListMember,
    Suppression,
    WorkbookRow,
)
from campaigns.models.delivery import DeliveryPurpose, DeliveryState
from campaigns.models.feedback import SuppressionReason
from campaigns.models.template import Kind
from campaigns.pipeline import blocks, import_contacts, personal_data
from campaigns.pipeline import subscription as standing
from campaigns.pipeline.recording import Fetched, Source, judge, record
from tests import cast
from tests.pipeline import returned_mail as mail
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

BOB = "bob@customer.example"


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def bob(scene: Scene) -> Contact:
    scene.contacts(BOB, "carol@customer.example", 城市="杭州")
    return Contact.objects.get(address_key=BOB)


@pytest.fixture
def mailbox(scene: Scene) -> BounceMailbox:
    return mail.a_mailbox(scene.team, exclusive=True)


@pytest.fixture
def letter(bob: Contact) -> Delivery:
    """A newsletter that bounced."""
    news = mail.a_sent_campaign(bob.team, contact_list=bob.lists.get())
    delivery = mail.a_delivery(news, BOB, contact=bob)
    now = timezone.now()
    Attempt.objects.create(
        team=bob.team,
        delivery=delivery,
        relay=news.relay,
        started_at=now,
        ended_at=now,
        phase="dot",
        outcome="accepted",
        content_began=True,
        text=f"250 <{BOB}> queued",
    )
    return delivery


@pytest.fixture
def payslip(bob: Contact) -> Delivery:
    delivery = mail.a_delivery(mail.a_sent_campaign(bob.team, Kind.PAYSLIP), BOB)
    Feedback.objects.create(
        team=bob.team,
        kind="bounce",
        delivery=delivery,
        campaign=delivery.campaign,
        address=BOB,
        address_key=BOB,
        sealed_text=b"sealed",
    )
    return delivery


def a_book(scene: Scene, **more: Any) -> Any:
    rows = [("鲍勃", BOB, "杭州"), ("卡罗", "carol@customer.example", "北京")]
    columns = ["姓名", "邮箱", "城市"]
    return scene.workbook(rows=rows, columns=columns, purpose="list", name="客户.xlsx", **more)


def bounced(mailbox: BounceMailbox, delivery: Delivery, uidl: str = "1") -> bool:
    raw = mail.a_bounce(BOB, to=mail.return_path(delivery))
    return record(mailbox, uidl, judge(Source.of(mailbox), bounce.read(raw)), Fetched(raw))


def everything(team_id: int) -> str:
    """Every text of the tables that erasing is about, but the suppressions and payslips."""
    rows: list[Any] = [
        *Contact.objects.filter(team=team_id).values(),
        *Delivery.objects.filter(team=team_id).exclude(campaign__kind=Kind.PAYSLIP).values(),
        *Attempt.objects.filter(team=team_id).values(),
        *Feedback.objects.filter(team=team_id).exclude(campaign__kind=Kind.PAYSLIP).values(),
        *WorkbookRow.objects.filter(team=team_id).values(),
    ]
    return str(rows)


def test_all_that_is_held_is_handed_out(
    scene: Scene, bob: Contact, letter: Delivery, mailbox: BounceMailbox
) -> None:
    a_book(scene)
    bounced(mailbox, letter)
    data = json.loads(json.dumps(personal_data.collect(bob), ensure_ascii=False))
    assert data["contact"]["attributes"] == {"城市": "杭州"}
    assert [one["list"] for one in data["lists"]] == [bob.lists.get().name]
    assert [one["campaign"] for one in data["deliveries"]] == ["十一月"]
    assert data["deliveries"][0]["attempts"][0]["text"] == f"250 <{BOB}> queued"
    assert [(one["kind"], one["hard"]) for one in data["feedback"]] == [("bounce", True)]
    assert [one["reason"] for one in data["suppressions"]] == ["hard_bounce"]
    assert data["workbook_rows"][0]["values"]["城市"] == "杭州"
    assert "carol" not in json.dumps(data)


def test_the_same_as_a_sheet(bob: Contact, letter: Delivery) -> None:
    target = io.BytesIO()
    personal_data.write_sheet(personal_data.collect(bob), ("项目", "值"), target)
    sheet = openpyxl.load_workbook(target).active
    assert sheet is not None
    cells = {str(row[0]): row[1] for row in sheet.iter_rows(values_only=True)}
    assert cells["contact/address"] == BOB
    assert cells["deliveries/1/campaign"] == "十一月"


def test_of_a_payslip_only_that_it_was_sent_is_told(
    scene: Scene, bob: Contact, payslip: Delivery
) -> None:
    scene.workbook(rows=[("鲍勃", BOB, "1.00", "8888.88")])
    data = personal_data.collect(bob)
    assert [one["kind"] for one in data["deliveries"]] == ["payslip"]
    assert data["workbook_rows"] == []
    assert "8888.88" not in str(data)
    assert "sealed" not in str(data)


def test_another_teams_records_are_not_handed_out(bob: Contact) -> None:
    foreign = Scene()
    foreign.contacts(BOB)
    mail.a_delivery(mail.a_sent_campaign(foreign.team), BOB)
    Suppression.objects.create(
        team=foreign.team, address=BOB, address_key=BOB, reason="manual", note="别家"
    )
    data = personal_data.collect(bob)
    assert data["deliveries"] == data["suppressions"] == []


def test_after_erasing_nothing_names_the_person(
    scene: Scene, bob: Contact, letter: Delivery, mailbox: BounceMailbox
) -> None:
    a_book(scene)
    bounced(mailbox, letter)
    raw = mail.an_auto_reply(BOB, to=mail.LOGIN)
    record(mailbox, "2", judge(Source.of(mailbox), bounce.read(raw)), Fetched(raw))
    assert "bob" in everything(scene.team.pk)
    done = personal_data.erase(bob, None)
    assert (done.waiting, done.files) == (0, ["客户.xlsx"])
    assert "bob" not in everything(scene.team.pk)
    letter.refresh_from_db()
    assert (letter.address, letter.state, letter.contact) == ("已删除", "accepted", None)
    row = Suppression.objects.get()
    assert (row.address_key, row.reason, row.delivery, row.note) == (
        BOB,
        SuppressionReason.ERASED,
        None,
        "",
    )


def test_others_keep_everything(scene: Scene, bob: Contact, letter: Delivery) -> None:
    foreign = Scene()
    foreign.contacts(BOB)
    theirs = mail.a_delivery(mail.a_sent_campaign(foreign.team), BOB)
    carols = mail.a_delivery(letter.campaign, "carol@customer.example")
    a_book(scene)
    personal_data.erase(bob, None)
    for kept in (theirs, carols):
        address = kept.address
        kept.refresh_from_db()
        assert kept.address == address
    assert Contact.objects.count() == 2
    assert WorkbookRow.objects.count() == 1


def test_a_person_in_a_block_is_handed_out_and_taken_out_of_it(scene: Scene, bob: Contact) -> None:
    book = cast.fold(a_book(scene))
    foreign = cast.fold(a_book(Scene()))
    (row,) = personal_data.collect(bob)["workbook_rows"]
    assert row == {
        "workbook": "客户.xlsx",
        "row": 2,
        "values": {"姓名": "鲍勃", "邮箱": BOB, "城市": "杭州"},
    }
    assert personal_data.erase(bob, None).files == ["客户.xlsx"]
    (block,) = book.blocks
    clear = book.data_key.open(block.sealed).decode()
    assert (block.count, block.keys) == (1, "\ncarol@customer.example\n")
    assert "鲍勃" not in clear
    assert BOB not in clear
    assert [row.number for row in blocks.listed(book)[:5]] == [3]
    assert len(blocks.listed(foreign)) == 2


def test_a_payslip_stays_as_it_is(bob: Contact, payslip: Delivery) -> None:
    personal_data.erase(bob, None)
    payslip.refresh_from_db()
    assert payslip.address == BOB
    row = Feedback.objects.get()
    assert (row.address, bytes(row.sealed_text)) == (BOB, b"sealed")


@pytest.mark.parametrize(
    "state", [DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED]
)
def test_while_a_letter_is_on_its_way_nothing_is_erased_and_nothing_begun(
    bob: Contact, letter: Delivery, state: str
) -> None:
    Delivery.objects.filter(pk=letter.pk).update(state=state)
    assert personal_data.erase(bob, None).waiting == 1
    letter.refresh_from_db()
    assert letter.address == BOB
    assert Suppression.objects.get().reason == SuppressionReason.ERASED
    assert not ListMember.objects.filter(contact=bob).exists()
    Delivery.objects.filter(pk=letter.pk).update(state=DeliveryState.SUPPRESSED)
    assert personal_data.erase(bob, None).waiting == 0
    assert Suppression.objects.count() == 1


def test_an_import_brings_nobody_back(scene: Scene, bob: Contact) -> None:
    readers = bob.lists.get()
    personal_data.erase(bob, None)
    book = a_book(scene)
    assert import_contacts.begin(book, readers)
    import_contacts.run(book.pk)
    import_contacts.add(readers, {BOB: Mailbox("鲍勃", BOB), "d@x.cn": Mailbox("丁", "d@x.cn")})
    kept = set(Contact.objects.values_list("address_key", flat=True))
    assert kept == {"carol@customer.example", "d@x.cn"}


def test_a_late_bounce_brings_nothing_back(
    bob: Contact, letter: Delivery, mailbox: BounceMailbox
) -> None:
    message_id = letter.message_id
    personal_data.erase(bob, None)
    assert bounced(mailbox, letter)
    raw = mail.a_bounce(BOB, message_id=message_id)
    assert record(mailbox, "2", judge(Source.of(mailbox), bounce.read(raw)), Fetched(raw))
    assert not Feedback.objects.exists()
    assert Suppression.objects.get().reason == SuppressionReason.ERASED


def test_a_payslips_bounce_is_still_recorded(
    bob: Contact, payslip: Delivery, mailbox: BounceMailbox
) -> None:
    personal_data.erase(bob, None)
    bounced(mailbox, payslip)
    assert Feedback.objects.filter(delivery=payslip, proof="return_path").count() == 1


def test_the_link_of_an_old_message_leads_nowhere(bob: Contact, letter: Delivery) -> None:
    assert standing.of_message(letter.campaign_id, letter.pk) is not None
    personal_data.erase(bob, None)
    assert standing.of_message(letter.campaign_id, letter.pk) is None


def test_a_test_that_showed_the_person_stays_the_testers(bob: Contact, letter: Delivery) -> None:
    me = "me@corp.example.com"
    test = mail.a_delivery(letter.campaign, me, contact=bob, purpose=DeliveryPurpose.TEST)
    assert me not in str(personal_data.collect(bob)["deliveries"])
    personal_data.erase(bob, None)
    test.refresh_from_db()
    assert (test.address, test.contact) == (me, None)


def test_the_campaigns_figures_stay_true(bob: Contact, letter: Delivery) -> None:
    personal_data.erase(bob, None)
    campaign = Campaign.objects.get()
    assert campaign.deliveries.filter(state=DeliveryState.ACCEPTED).count() == 1
