"""SES tells of bounces over SNS: kept at once, believed for the signature, matched by SES' own id."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Relay, Role
from campaigns import tasks
from campaigns.mailer import https
from campaigns.models import Attempt, Delivery, Feedback, Suppression, Webhook, WebhookEvent
from campaigns.models.feedback import FeedbackKind, Proof, SuppressionReason
from campaigns.pipeline import webhook
from tests.mailer.test_remote_id import ID
from tests.mailer.test_sns import TOPIC, certificate, signed
from tests.pipeline.returned_mail import a_delivery, a_sent_campaign
from tests.views.scene import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SUBSCRIBE = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was fetched from Amazon, which is not to be reached from here."""
    asked: list[str] = []

    def get(url: str, **_: object) -> https.Answer:
        asked.append(url)
        return https.Answer(200, certificate() if url.endswith(".pem") else b"<ok/>")

    monkeypatch.setattr(https, "get", get)
    webhook._certificate.cache_clear()
    return asked


@pytest.fixture
def hook(fetched: list[str]) -> Webhook:
    """The address of a relay, subscribed to the topic."""
    scene = Scene()
    relay = scene.relay(preset="ses")
    return Webhook.objects.create(
        team=scene.team, relay=relay, provider="ses", topic=TOPIC, confirmed_at=timezone.now()
    )


def delivery(hook: Webhook, address: str = "gone@corp.example") -> Delivery:
    """Sent through SES, whose reply named it ID."""
    made = a_delivery(a_sent_campaign(hook.team), address)
    Attempt.objects.create(
        team=hook.team,
        delivery=made,
        relay=Relay.objects.first(),
        started_at=timezone.now(),
        ended_at=timezone.now(),
        phase="content",
        outcome="accepted",
        content_began=True,
        remote_id=ID,
    )
    return made


def bounce(address: str = "gone@corp.example", **more: object) -> str:
    """As the SES developer guide shows it."""
    return json.dumps(
        {
            "notificationType": "Bounce",
            "bounce": {
                "bounceType": "Permanent",
                "bouncedRecipients": [
                    {
                        "emailAddress": address,
                        "action": "failed",
                        "status": "5.1.1",
                        "diagnosticCode": "smtp; 550 5.1.1 user unknown",
                    }
                ],
            },
            "mail": {"messageId": ID, "destination": [address]},
        }
        | more
    )


def complaint(address: str) -> str:
    named = [{"emailAddress": address}]
    return bounce(notificationType="Complaint", complaint={"complainedRecipients": named})


def call(hook: Webhook, message: str, **fields: object) -> int:
    now: datetime = timezone.now()
    body = signed(at=now, Message=message, **fields)  # type: ignore[arg-type]
    return post(hook, body)


def post(hook: Webhook, body: bytes) -> int:
    answer = Client().post(f"/hooks/{hook.token}/", body, content_type="text/plain")
    webhook.read_waiting()
    hook.refresh_from_db()
    return answer.status_code


def test_a_hard_bounce_suppresses_its_recipient(hook: Webhook) -> None:
    mine = delivery(hook)
    assert call(hook, bounce()) == 200
    found = Feedback.objects.get()
    assert (found.kind, found.hard, found.proof) == (FeedbackKind.BOUNCE, True, Proof.MESSAGE_ID)
    assert found.delivery == mine
    assert Suppression.objects.get().reason == SuppressionReason.HARD_BOUNCE
    assert hook.last_event_at is not None


def test_a_complaint_suppresses_too(hook: Webhook) -> None:
    delivery(hook, "angry@corp.example")
    call(hook, complaint("angry@corp.example"))
    assert Suppression.objects.get().reason == SuppressionReason.COMPLAINT


def test_the_same_call_twice_is_one(hook: Webhook) -> None:
    delivery(hook)
    for _ in range(2):
        assert call(hook, bounce()) == 200
    assert Feedback.objects.count() == 1


def test_a_call_that_cannot_be_read_keeps_no_other_one_waiting(
    hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery(hook)
    Client().post(f"/hooks/{hook.token}/", b"{}", content_type="text/plain")
    poison = WebhookEvent.objects.get()
    whole = webhook.READERS["ses"]

    def reader(body: bytes, *, topic: str) -> webhook.Told:
        return whole(body, topic=topic) if body != b"{}" else webhook.Told(**{})

    monkeypatch.setitem(webhook.READERS, "ses", reader)
    assert call(hook, bounce()) == 200
    assert Feedback.objects.count() == 1
    poison.refresh_from_db()
    assert (poison.state, poison.tries) == ("waiting", 1)


def test_a_bounce_of_a_message_that_is_not_ours_suppresses_nobody(hook: Webhook) -> None:
    other = Scene()
    a_delivery(a_sent_campaign(other.team), "gone@corp.example")
    call(hook, bounce())
    assert Feedback.objects.get().proof == Proof.NONE
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"hello", "webhook_form"),
        (b"\xff\xfe", "webhook_form"),
        (signed(Message=bounce()).replace(b"gone@", b"else@"), "webhook_signature"),
    ],
)
def test_a_forged_call_has_no_effect_and_is_said(hook: Webhook, body: bytes, reason: str) -> None:
    delivery(hook)
    assert post(hook, body) == 200
    assert hook.last_refusal == reason
    assert not Feedback.objects.exists()


def test_another_topic_is_not_believed(hook: Webhook) -> None:
    delivery(hook)
    call(hook, bounce(), TopicArn="arn:aws:sns:eu-west-1:666666666666:mine")
    assert hook.last_refusal == "webhook_topic"
    assert not Feedback.objects.exists()


def test_the_first_topic_that_asks_is_confirmed_and_pinned(
    hook: Webhook, fetched: list[str]
) -> None:
    Webhook.objects.update(topic="", confirmed_at=None)
    hook.refresh_from_db()
    call(hook, bounce())
    assert hook.last_refusal == "webhook_topic"
    asks = {"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": SUBSCRIBE}
    call(hook, "You have chosen to subscribe", MessageId="m-2", **asks)
    assert SUBSCRIBE in fetched
    assert (hook.topic, hook.last_refusal) == (TOPIC, "")
    assert hook.confirmed_at is not None


def test_amazon_away_is_tried_again_and_nothing_is_lost(
    hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery(hook)
    right = https.get

    def away(url: str, **_: object) -> https.Answer:
        raise https.PostFailure("unreachable")

    with monkeypatch.context() as patch:
        patch.setattr(https, "get", away)
        call(hook, bounce())
    assert not Feedback.objects.exists()
    assert WebhookEvent.objects.get().tries == 1
    WebhookEvent.objects.update(due_at=timezone.now())
    monkeypatch.setattr(https, "get", right)
    monkeypatch.setattr(tasks.read_events, "delay", tasks.read_events)
    tasks.tick()
    assert Feedback.objects.count() == 1


def test_what_was_read_keeps_no_text(hook: Webhook) -> None:
    delivery(hook)
    call(hook, bounce())
    assert str(WebhookEvent.objects.get().body) == ""


def test_a_flood_is_turned_away_and_an_unknown_address_is_not_there(
    hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "MOST_WAITING", 1)
    answers = [
        Client().post(f"/hooks/{hook.token}/", b"x", content_type="text/plain").status_code
        for _ in range(2)
    ]
    assert answers == [200, 429]
    assert Client().post("/hooks/nobody/", b"x", content_type="text/plain").status_code == 404
    assert Client().get(f"/hooks/{hook.token}/").status_code == 405
    big = Client().post(f"/hooks/{hook.token}/", b"x" * 400_000, content_type="text/plain")
    assert big.status_code == 413


def test_the_address_is_made_changed_and_withdrawn_on_the_relays_page() -> None:
    scene = Scene()
    relay, client = scene.relay(preset="ses"), scene.client(Role.MAIL_ADMIN)
    assert "生成地址" in client.get(f"/relays/{relay.pk}/").content.decode()
    client.post(f"/relays/{relay.pk}/webhook/make/")
    first = Webhook.objects.get().token
    assert first in client.get(f"/relays/{relay.pk}/").content.decode()
    client.post(f"/relays/{relay.pk}/webhook/make/")
    assert Webhook.objects.get().token != first
    client.post(f"/relays/{relay.pk}/webhook/remove/")
    assert not Webhook.objects.exists()


def test_another_teams_relay_gets_no_address() -> None:
    relay = Scene().relay(preset="ses")
    client = Scene().client(Role.MAIL_ADMIN)
    assert client.post(f"/relays/{relay.pk}/webhook/make/").status_code == 404
    assert not Webhook.objects.exists()
