"""What a shell asks for by names: people, relay and template, a campaign of a workbook, samples."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import Membership, Relay, Role, User
from campaigns.mailer.address import AddressFault, address_key, parse_mailbox
from campaigns.models import (
    Campaign,
    ContentGrant,
    Delivery,
    MessageTemplate,
    PayslipLayout,
    Workbook,
)
from campaigns.models.campaign import Duplicates
from campaigns.models.delivery import OPEN
from campaigns.models.template import Kind
from campaigns.pipeline import control
from campaigns.pipeline.compose import Composer, Unsendable


class Unknown(Exception):
    """A name that leads nowhere, or to several things; `kind` and `name` say which."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind}: {name}")
        self.kind, self.name = kind, name


@dataclass(frozen=True)
class Party:
    """Who sends, through what, with which template or layout; all of one team."""

    user: User
    relay: Relay
    template: MessageTemplate | None
    layout: PayslipLayout | None = None


def party(*, relay: str, template: str, email: str | None) -> Party:
    """By their names; `template` may be a layout's. Without an address the team's only HR is meant; raises Unknown."""
    relays = list(Relay.objects.filter(name=relay).select_related("team")[:2])
    if len(relays) != 1:
        raise Unknown("relay" if not relays else "relay_ambiguous", relay)
    team = relays[0].team
    found = MessageTemplate.objects.filter(team=team, name=template, kind=Kind.PAYSLIP).first()
    layout = None
    if found is None:
        layout = PayslipLayout.objects.filter(team=team, name=template).first()
        if layout is None:
            raise Unknown("template", template)
    people = Membership.objects.filter(team=team, role=Role.HR, user__is_active=True)
    if email:
        people = people.filter(user__email__iexact=email)
    users = list(User.objects.filter(pk__in=people.values("user"))[:2])
    if len(users) != 1:
        raise Unknown("user" if not users else "user_ambiguous", email or "")
    return Party(users[0], relays[0], found, layout)


def sender_of(relay: Relay, given: str | None) -> str:
    """The from-address: as given, or the first whole address that the relay may use."""
    allowed = [entry for entry in relay.from_addresses if not entry.startswith("@")]
    address = given or next(iter(allowed), relay.username)
    try:
        return parse_mailbox(address).address
    except AddressFault as fault:
        raise Unknown("from_address", address) from fault


def campaign_of(
    by: Party, workbook: Workbook, *, name: str, sender: str, duplicates: Duplicates
) -> Campaign:
    """A draft of a payslip campaign, visible to its maker."""
    campaign = Campaign.objects.create(
        team=by.relay.team,
        kind=Kind.PAYSLIP,
        name=name[:150],
        template=by.template,
        layout=by.layout,
        workbook=workbook,
        relay=by.relay,
        from_address=sender,
        duplicates=duplicates,
        created_by=by.user,
    )
    ContentGrant.objects.create(
        team=campaign.team, user=by.user, campaign=campaign, granted_by=by.user
    )
    return campaign


def drop(campaign: Campaign) -> None:
    """Removes a draft that was only made to be looked at."""
    Campaign.objects.filter(pk=campaign.pk, state="draft").delete()


def samples(workbook: Workbook, limit: int | None) -> list[Delivery]:
    """Unsaved deliveries of the first rows, for a rehearsal or for tests to oneself."""
    rows = workbook.rows if limit is None else workbook.rows[:limit]
    return [
        Delivery(
            team_id=workbook.team_id,
            source_key=f"r{row.number}.{row.part}",
            row=row,
            row_number=row.number,
            address=row.address,
            address_key=row.address_key,
        )
        for row in rows
    ]


def rehearse(campaign: Campaign, deliveries: list[Delivery]) -> list[tuple[int, str, str]]:
    """Composes each without sending it; (row, reason, detail) of those that cannot be."""
    assert campaign.relay is not None
    faults = []
    try:
        composer = Composer(campaign, campaign.relay)
    except Unsendable as error:
        return [(0, error.reason, error.detail)]
    for delivery in deliveries:
        delivery.campaign = campaign
        try:
            composer.compose(delivery)
        except Unsendable as error:
            faults.append((delivery.row_number or 0, error.reason, error.detail))
    return faults


def send_tests(campaign: Campaign, deliveries: list[Delivery], address: str) -> int:
    """Each sample as a test to one address of one's own; never to the recipients."""
    key = address_key(address)
    for delivery in deliveries:
        control.send_test(campaign, delivery, parse_mailbox(address).address, key)
    return len(deliveries)


def tests_open(campaign: Campaign) -> int:
    """How many tests wait for a worker."""
    return campaign.deliveries.filter(state__in=OPEN).count()
