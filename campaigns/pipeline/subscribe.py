"""Subscribe: somebody asks by a public form to join a list, and joins by the link of a mail (double opt-in).

Whatever is asked, the form answers the same, so that it tells nobody who is subscribed. What is
sent is bounded by network, by address and by list, so that the form is no means to bother others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import Relay, User
from campaigns.mailer.html_text import html_to_text
from campaigns.mailer.inline import inline
from campaigns.models import (
    Campaign,
    Contact,
    ContactList,
    Delivery,
    ListMember,
    SubscribeForm,
    SubscriptionProof,
    Suppression,
)
from campaigns.models.campaign import CampaignState
from campaigns.models.contact import MemberStatus
from campaigns.models.delivery import PRIORITY_TEST, DeliveryPurpose
from campaigns.models.feedback import SuppressionReason
from campaigns.models.signals import announce
from campaigns.models.template import Kind
from campaigns.pipeline import counts
from campaigns.pipeline.compose import links

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# A whole office may sit behind one network; a list that becomes popular is worth a look by a person.
BY_NETWORK, BY_LIST = 20, 500
# The link in the mail lives so long.
LIVES = timedelta(days=7)
# A request that nobody confirmed is kept so long.
KEPT = timedelta(days=30)

SUBJECT = "请确认订阅 · Please confirm: {{ sender_name }}"
HTML = """<p>有人用 {{ address }} 申请订阅“{{ sender_name }}”的邮件。<br>
Somebody asked for mail of “{{ sender_name }}” to {{ address }}.</p>
<p>{{ note }}</p>
<p><a href="{{ confirm_url }}">确认订阅 · Confirm</a></p>
<p>不是您本人？不用理会，什么也不会发生。Not you? Ignore this, and nothing happens.
<a href="{{ unsubscribe_url }}">不再收到这里的任何邮件 · Never mail me</a></p>"""


@dataclass(frozen=True)
class Sender:
    """Who asks for the confirmation."""

    relay: Relay
    name: str
    address: str


def save_form(
    contact_list: ContactList, sender: Sender, *, text: str, enabled: bool, user: User | None
) -> SubscribeForm:
    """Makes or changes a list's form, and the standing campaign behind it."""
    with transaction.atomic():
        known = SubscribeForm.objects.filter(contact_list=contact_list).first()
        if known is None:
            campaign = _standing_campaign(contact_list, sender, user)
            return SubscribeForm.objects.create(
                team=contact_list.team,
                contact_list=contact_list,
                campaign=campaign,
                text=text,
                enabled=enabled,
            )
        Campaign.objects.filter(pk=known.campaign_id).update(
            relay=sender.relay, from_name=sender.name, from_address=sender.address
        )
        known.text, known.enabled = text, enabled
        known.save(update_fields=["text", "enabled"])
        return known


def _standing_campaign(contact_list: ContactList, sender: Sender, user: User | None) -> Campaign:
    """It belongs to no list: who left the list may still ask to come back."""
    now = timezone.now()
    html = inline(HTML)
    return Campaign.objects.create(
        team=contact_list.team,
        kind=Kind.NEWSLETTER,
        name=f"订阅确认：{contact_list.name}"[:150],
        state=CampaignState.FINISHED,
        relay=sender.relay,
        from_name=sender.name,
        from_address=sender.address,
        frozen_subject=SUBJECT,
        frozen_html=html,
        frozen_text=html_to_text(html),
        created_by=user,
        launched_by=user,
        launched_at=now,
        planned_at=now,
        finished_at=now,
    )


def open_form(token: str) -> SubscribeForm | None:
    """The form of a link of ours that takes requests; else None."""
    form_id = links().read_join(token)
    if form_id is None:
        return None
    rows = SubscribeForm.objects.filter(pk=form_id, enabled=True)
    found = rows.exclude(campaign__state=CampaignState.CANCELLED)
    return found.select_related("contact_list", "team", "campaign__relay").first()


def ask(form: SubscribeForm, address: str, address_key: str, network: str) -> bool:
    """Sends the mail that asks for confirmation, unless it is no use; False where too many asked."""
    with transaction.atomic():
        # One after the other, so that parallel requests don't slip by the limits.
        SubscribeForm.objects.select_for_update().get(pk=form.pk)
        if _too_many(form, network):
            return False
        if not _is_subscribed(form, address_key) and not _asked_today(form, address_key):
            _forget_unconfirmed(form)
            _send(form, address, address_key, network)
    return True


def _too_many(form: SubscribeForm, network: str) -> bool:
    recent = SubscriptionProof.objects.filter(asked_at__gt=timezone.now() - HOUR)
    return (
        recent.filter(asked_from=network).count() >= BY_NETWORK
        or recent.filter(contact_list=form.contact_list_id).count() >= BY_LIST
    )


def _forget_unconfirmed(form: SubscribeForm) -> None:
    """What was never confirmed proves nothing, and may be somebody else's address."""
    SubscriptionProof.objects.filter(
        contact_list=form.contact_list_id, confirmed_at=None, asked_at__lt=timezone.now() - KEPT
    ).delete()


def _is_subscribed(form: SubscribeForm, address_key: str) -> bool:
    stopped = Suppression.objects.filter(
        team=form.team_id, contact_list=form.contact_list_id, address_key=address_key
    )
    members = ListMember.objects.filter(
        contact_list=form.contact_list_id,
        contact__address_key=address_key,
        status=MemberStatus.SUBSCRIBED,
    )
    return members.exists() and not stopped.exists()


def _asked_today(form: SubscribeForm, address_key: str) -> bool:
    """One mail a day for an address of the whole team, whichever list is asked for."""
    return SubscriptionProof.objects.filter(
        team=form.team_id,
        address_key=address_key,
        confirmed_at=None,
        asked_at__gt=timezone.now() - DAY,
    ).exists()


def _send(form: SubscribeForm, address: str, address_key: str, network: str) -> None:
    now, campaign = timezone.now(), form.campaign
    assert campaign.relay is not None  # the constraint campaign_has_relay
    proof = SubscriptionProof.objects.create(
        team_id=form.team_id,
        contact_list=form.contact_list,
        address=address,
        address_key=address_key,
        text=form.text,
        asked_from=network,
    )
    proof.delivery = Delivery.objects.create(
        team_id=form.team_id,
        campaign=campaign,
        purpose=DeliveryPurpose.CAMPAIGN,
        source_key=f"p{proof.pk}",
        address=address,
        address_key=address_key,
        domain=address_key.rpartition("@")[2],
        priority=PRIORITY_TEST,
        due_at=now,
        deliver_until=now + LIVES,
        relay=campaign.relay,
        changed_at=now,
    )
    proof.save(update_fields=["delivery"])
    Campaign.objects.filter(pk=campaign.pk, state=CampaignState.FINISHED).update(
        state=CampaignState.RUNNING, finished_at=None
    )
    announce("tick")
    counts.recount(campaign.pk)


def asked(token: str) -> SubscriptionProof | None:
    """The request that the link of a mail is about; None once it is too old."""
    ids = links().read_confirm(token)
    if ids is None:
        return None
    rows = SubscriptionProof.objects.filter(
        delivery=ids[1], delivery__campaign=ids[0], asked_at__gt=timezone.now() - LIVES
    )
    return rows.select_related("contact_list", "team").first()


def confirm(proof: SubscriptionProof, network: str) -> None:
    """Joins the list; the first time is what is kept. Who left it later is not brought back."""
    with transaction.atomic():
        first = SubscriptionProof.objects.filter(pk=proof.pk, confirmed_at=None).update(
            confirmed_at=timezone.now(), confirmed_from=network
        )
        if not first:
            return
        Suppression.objects.filter(
            team=proof.team_id,
            address_key=proof.address_key,
            contact_list=proof.contact_list_id,
            reason=SuppressionReason.UNSUBSCRIBED,
        ).delete()
        contact, _new = Contact.locked().get_or_create(
            team_id=proof.team_id,
            address_key=proof.address_key,
            defaults={"address": proof.address},
        )
        ListMember.objects.update_or_create(
            contact_list=proof.contact_list,
            contact=contact,
            defaults={
                "team_id": proof.team_id,
                "status": MemberStatus.SUBSCRIBED,
                "changed_at": timezone.now(),
            },
        )
