"""The page of one payslip: what its employee, a scanner, a stranger and HR meet there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import Role
from campaigns.models import Campaign, Confirmation, Delivery
from campaigns.pipeline import destroy
from campaigns.pipeline.compose import links
from tests.views.scene import CANARY, deliveries, launched

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

HTML = "<p>{{ 姓名 }}：实发 {{ 实发 }}</p>{% if confirm_url %}<a href='{{ confirm_url }}'>确认</a>{% endif %}"


@pytest.fixture
def campaign(scene, hr) -> Campaign:
    made = scene.payslips(hr, template=scene.template(html=HTML), confirm_days=14)
    return launched(made, "finished")


@pytest.fixture
def delivery(campaign) -> Delivery:
    """李雷's, whose salary is the canary."""
    return deliveries(campaign, "accepted", "accepted", "accepted")[1]


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=True)


def path_of(delivery: Delivery) -> str:
    return "/" + links().slip(delivery.campaign_id, delivery.pk).split("/", 3)[3]


def press(browser: Client, path: str, action: str, **fields: str):
    browser.get(path)
    fields["csrfmiddlewaretoken"] = browser.cookies["csrftoken"].value
    return browser.post(f"{path}/{action}", fields)


def text(answer) -> str:
    assert answer.status_code == 200
    return answer.content.decode()


class TestLooking:
    def test_it_changes_nothing_and_shows_no_salary(self, browser, delivery):
        path = path_of(delivery)
        for method in (browser.get, browser.head, browser.get):
            assert method(path).status_code == 200
        page = text(browser.get(path))
        assert "查看我的工资条" in page
        assert "li***@corp.example" in page
        assert CANARY not in page
        assert "lilei" not in page
        assert browser.get(f"{path}/content").status_code == 404
        assert not Confirmation.objects.exists()

    def test_it_is_kept_nowhere_and_found_by_nobody(self, browser, delivery):
        press(browser, path_of(delivery), "open")
        for path in (path_of(delivery), f"{path_of(delivery)}/content", "/slip/nothing"):
            answer = browser.get(path)
            assert "no-store" in answer["Cache-Control"]
            assert answer["X-Robots-Tag"] == "noindex, nofollow"
            assert answer["Referrer-Policy"] in ("same-origin", "no-referrer")

    @pytest.mark.parametrize("act", ["open", "confirm", "dispute"])
    def test_no_act_is_done_by_a_get_or_without_the_pages_own_form(self, browser, delivery, act):
        path = path_of(delivery)
        assert browser.get(f"{path}/{act}").status_code == 405
        assert browser.post(f"{path}/{act}", {"text": "x"}).status_code == 403
        assert not Confirmation.objects.exists()

    def test_it_speaks_the_readers_language(self, delivery):
        page = Client().get(path_of(delivery), HTTP_ACCEPT_LANGUAGE="en").content.decode()
        assert '<html lang="en"' in page

    def test_its_times_are_the_companys(self, browser, scene, delivery):
        scene.team.time_zone = "Asia/Shanghai"
        scene.team.save()
        noon = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
        Delivery.objects.filter(pk=delivery.pk).update(created_at=noon)
        with time_machine.travel(noon):
            assert "2026-12-08 20:00" in text(browser.get(path_of(delivery)))


class TestTheEmployee:
    def test_sees_the_slip_in_a_frame_of_its_own(self, browser, delivery):
        path = path_of(delivery)
        answer = press(browser, path, "open")
        assert (answer.status_code, answer["Location"]) == (302, path)
        assert Confirmation.objects.get().state == "opened"
        page = text(browser.get(path))
        assert f'src="{path}/content"' in page
        assert " sandbox " in page
        assert CANARY not in page
        frame = browser.get(f"{path}/content")
        assert f"李雷：实发 {CANARY}" in text(frame)
        assert "确认" not in text(frame)
        assert frame["Content-Security-Policy"].startswith("sandbox;")

    def test_confirms_once_whatever_way_he_came(self, browser, delivery):
        path = path_of(delivery)
        press(browser, path, "open")
        press(browser, path, "confirm")
        first = Confirmation.objects.get()
        assert first.state == "confirmed"
        assert "您已确认无误" in text(browser.get(path))
        press(browser, path, "confirm")
        press(Client(enforce_csrf_checks=True), path, "open")
        assert Confirmation.objects.get().confirmed_at == first.confirmed_at

    def test_disputes_with_words_that_lie_sealed(self, browser, delivery, campaign):
        path = path_of(delivery)
        assert press(browser, path, "dispute", text="加班费少了 777.77 元").status_code == 302
        row = Confirmation.objects.get()
        assert row.state == "disputed"
        assert b"777.77" not in bytes(row.sealed_text)
        page = text(browser.get(path))
        assert "已交给人力资源部" in page
        assert "777.77" not in page

    def test_may_settle_a_dispute_and_dispute_after_all(self, browser, delivery):
        path = path_of(delivery)
        press(browser, path, "dispute", text="少了")
        press(browser, path, "confirm")
        assert Confirmation.objects.get().state == "confirmed"
        press(browser, path, "dispute", text="还是少了")
        assert Confirmation.objects.get().state == "disputed"

    @pytest.mark.parametrize("words", ["", "  \n ", "工" * 2001])
    def test_must_write_something_and_not_a_book(self, browser, delivery, words):
        answer = press(browser, path_of(delivery), "dispute", text=words)
        assert answer.status_code == 422
        assert not Confirmation.objects.filter(disputed_at__isnull=False).exists()

    def test_cannot_fill_the_database_with_disputes(self, browser, delivery):
        path = path_of(delivery)
        for number in range(22):
            press(browser, path, "dispute", text=f"{number}")
        key = delivery.campaign.workbook.data_key
        assert len(key.open_json(Confirmation.objects.get().sealed_text)) == 20


class TestTheLink:
    def test_dies_with_its_time(self, browser, delivery):
        path = path_of(delivery)
        press(browser, path, "open")
        with time_machine.travel(timezone.now() + timedelta(days=15)):
            answer = browser.get(path)
            assert answer.status_code == 410
            assert "过期" in answer.content.decode()
            assert browser.get(f"{path}/content").status_code == 404
            assert press(browser, path, "confirm").status_code == 410
        assert Confirmation.objects.get().state == "opened"

    def test_dies_with_the_content(self, browser, delivery, campaign):
        path = path_of(delivery)
        press(browser, path, "dispute", text="少了")
        assert destroy.destroy(campaign.workbook) == []
        assert browser.get(path).status_code == 410
        assert press(browser, path, "confirm").status_code == 410

    def test_of_an_earlier_address_dies_when_it_was_corrected(self, browser, delivery):
        again = Delivery.objects.get(pk=delivery.pk)
        again.pk, again.purpose, again.sequence = None, "resend", 0
        again.address = again.address_key = "li.lei@corp.example"
        again.save()
        assert browser.get(path_of(delivery)).status_code == 410
        press(browser, path_of(again), "confirm")
        assert Confirmation.objects.get().delivery_id == delivery.pk

    def test_of_a_resend_to_the_same_address_and_the_first_both_live(self, browser, delivery):
        again = Delivery.objects.get(pk=delivery.pk)
        again.pk, again.purpose, again.sequence = None, "resend", 0
        again.save()
        press(browser, path_of(delivery), "open")
        press(browser, path_of(again), "confirm")
        assert Confirmation.objects.get().state == "confirmed"

    def test_of_a_test_shows_all_and_records_nothing(self, browser, delivery):
        Delivery.objects.filter(pk=delivery.pk).update(purpose="test")
        path = path_of(delivery)
        assert "这是测试邮件" in text(browser.get(path))
        assert CANARY in text(browser.get(f"{path}/content"))
        for act in ("open", "confirm", "dispute"):
            press(browser, path, act, text="x")
        assert not Confirmation.objects.exists()

    def test_leads_nowhere_without_our_signature_or_question(self, browser, delivery, campaign):
        unsubscribe = links().unsubscribe(campaign.pk, delivery.pk).rpartition("/")[2]
        other = links().slip(campaign.pk + 1, delivery.pk).rpartition("/")[2]
        for token in ("x", unsubscribe, other, path_of(delivery)[6:-1]):
            assert browser.get(f"/slip/{token}").status_code == 404
        Campaign.objects.filter(pk=campaign.pk).update(confirm_days=0)
        assert browser.get(path_of(delivery)).status_code == 404

    def test_is_in_the_message_that_was_sent(self, scene, hr, campaign, delivery):
        from campaigns.pipeline.compose import Composer

        composed = Composer(campaign, campaign.relay).compose(delivery)
        link = links().slip(campaign.pk, delivery.pk)
        assert link in composed.rendered.text
        Campaign.objects.filter(pk=campaign.pk).update(confirm_days=0)
        plain = Campaign.objects.get(pk=campaign.pk)
        delivery.campaign = plain
        assert "/slip/" not in Composer(plain, plain.relay).compose(delivery).rendered.text


class TestHr:
    def test_reads_the_dispute_on_the_deliverys_page(self, browser, scene, hr, delivery):
        press(browser, path_of(delivery), "dispute", text="加班费 <b>少了</b>")
        page = text(scene.client(user=hr).get(f"/deliveries/{delivery.pk}/"))
        assert "加班费 &lt;b&gt;少了&lt;/b&gt;" in page
        assert "有异议" in page

    def test_without_a_grant_sees_that_there_is_one_and_not_what(self, browser, scene, delivery):
        press(browser, path_of(delivery), "dispute", text="加班费少了")
        superuser = scene.user(Role.OWNER, is_superuser=True)
        for client in (scene.client(Role.HR), scene.client(user=superuser)):
            page = text(client.get(f"/deliveries/{delivery.pk}/"))
            assert "有异议" in page
            assert "加班费" not in page

    def test_sees_how_many_answered_and_who(self, browser, scene, hr, campaign, delivery):
        press(browser, path_of(delivery), "confirm")
        other = campaign.deliveries.get(row_number=2)
        press(browser, path_of(other), "dispute", text="少了")
        client = scene.client(user=hr)
        page = text(client.get(f"/campaigns/{campaign.pk}/"))
        assert "员工确认" in page
        assert "提醒未确认的人" in page
        for state, address in (
            ("confirmed", "lilei@corp.example"),
            ("disputed", "wang@corp.example"),
            ("unconfirmed", "han@corp.example"),
        ):
            shown = text(client.get(f"/campaigns/{campaign.pk}/deliveries/?state={state}"))
            assert [a for a in ("wang@", "lilei@", "han@") if a in shown] == [
                address.partition("@")[0] + "@"
            ]

    def test_reminds_those_who_did_not_answer_and_only_with_a_grant(self, scene, hr, campaign, delivery):  # fmt: skip
        url = f"/campaigns/{campaign.pk}/remind/"
        assert scene.client(Role.HR).post(url).status_code == 403
        assert not campaign.deliveries.filter(purpose="reminder").exists()
        page = scene.client(user=hr).post(url, follow=True).content.decode()
        assert "正在提醒 3 位" in page
        assert campaign.deliveries.filter(purpose="reminder").count() == 3
        page = scene.client(user=hr).post(url, follow=True).content.decode()
        assert "没有需要提醒的人" in page
