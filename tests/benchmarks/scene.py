"""A team with a relay, a list of any size made by SQL, and a campaign to it. Needs Django set up."""

from __future__ import annotations

from django.db import connection

from accounts.models import BounceMailbox, Relay, SigningKey, Team
from campaigns.mailer.signing import generate_ed25519, generate_rsa
from campaigns.models import Campaign, ContactList
from campaigns.models.template import Kind
from campaigns.pipeline import control, plan
from tests import cast
from tests.benchmarks import newsletter

_CONTACTS = f"""
WITH made AS (
    INSERT INTO campaigns_contact (team_id, address, address_key, name, attributes, created_at)
    SELECT %s, 'reader' || n || '@mail' || n %% 50 || '.example.com',
        'reader' || n || '@mail' || n %% 50 || '.example.com', '读者' || n,
        {newsletter.ATTRIBUTES_SQL.replace("%", "%%")}, now()
    FROM generate_series(1, %s) n RETURNING id)
INSERT INTO campaigns_listmember (team_id, contact_list_id, contact_id, status, changed_at)
SELECT %s, %s, id, 'subscribed', now() FROM made
"""


def a_relay(team: Team, port: int, *, connections: int = 1) -> Relay:
    """One that takes return paths of ours, as a company's own Postfix does."""
    mailbox = BounceMailbox.objects.create(
        team=team,
        name="退信",
        address=f"bounce@{cast.DOMAIN}",
        host="127.0.0.1",
        username="bounce",
        return_path_pattern=f"bounce+{{token}}@{cast.DOMAIN}",
        enabled=False,
    )
    return cast.a_relay(
        team,
        port,
        max_connections=connections,
        own_return_path=True,
        bounce_mailbox=mailbox,
        quota_group=f"benchmark-{team.pk}",
        command_timeout=30,
        final_dot_timeout=60,
    )


def a_list(team: Team, size: int) -> ContactList:
    """`size` subscribed contacts in one statement."""
    readers = ContactList.objects.create(team=team, name=f"读者 {size}")
    with connection.cursor() as cursor:
        cursor.execute(_CONTACTS, [team.pk, size, team.pk, readers.pk])
        cursor.execute("ANALYZE campaigns_contact, campaigns_listmember")
    return readers


def a_key(team: Team, algorithm: str) -> SigningKey:
    """A signing key of the from-address's domain: "rsa" (2048 bits) or "ed25519"."""
    private, public = generate_rsa() if algorithm == "rsa" else generate_ed25519()
    return SigningKey.objects.create(
        team=team,
        domain=cast.DOMAIN,
        selector="s1",
        algorithm=algorithm,
        private_key=private,
        public_key=public,
    )


def a_campaign(
    size: int, port: int, *, algorithm: str = "", connections: int = 1, name: str = "甲公司"
) -> Campaign:
    """A draft newsletter to `size` readers; `algorithm` is "" (unsigned), "rsa" or "ed25519"."""
    team = cast.a_team(name)
    if algorithm:
        a_key(team, algorithm)
    template = cast.a_template(
        team,
        Kind.NEWSLETTER,
        subject=newsletter.SUBJECT,
        html=newsletter.HTML,
        text=newsletter.TEXT,
    )
    return cast.a_campaign(
        a_relay(team, port, connections=connections),
        template=template,
        contact_list=a_list(team, size),
    )


def launched(campaign: Campaign) -> Campaign:
    """Planned, so that the next tick sends it."""
    assert control.launch(campaign, None)
    for campaign_id in plan.start_due():
        plan.plan(campaign_id)
    campaign.refresh_from_db()
    return campaign
