"""What people do on a live site, from a shell: `python -m tests.end_to_end.actor STEP JSON`.

Each step runs in the site's environment, in a process of its own, and prints JSON. The long work is
done by the site's workers, never here.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import django

django.setup()

from accounts.models import BounceMailbox, RelayLimit, SigningKey, Team, User  # noqa: E402
from campaigns.mailer.signing import Algorithm, dns_record, generate_rsa  # noqa: E402
from campaigns.models import (  # noqa: E402
    Attempt,
    Campaign,
    ContentGrant,
    Delivery,
    Feedback,
    Suppression,
    Workbook,
)
from campaigns.models.workbook import Purpose  # noqa: E402
from campaigns.pipeline import control, load  # noqa: E402
from campaigns.quickstart.payroll import demo_payroll  # noqa: E402
from tests import cast  # noqa: E402


def found_company(relay: dict[str, Any], mailbox: dict[str, Any] | None, limit: int) -> Any:
    """Team, person, relay, bounce mailbox and a key of RSA-2048."""
    team = cast.a_team()
    user = cast.a_user(team)
    if mailbox:
        relay["bounce_mailbox"] = BounceMailbox.objects.create(
            team=team, name="退信", exclusive=True, **mailbox
        )
    made = cast.a_relay(team, **relay)
    if limit:
        RelayLimit.objects.create(team=team, relay=made, window="second", amount=limit)
    private, public = generate_rsa()
    SigningKey.objects.create(
        team=team, domain=cast.DOMAIN, selector="e2e", private_key=private, public_key=public
    )
    cast.a_template(team)
    return {"team": team.pk, "user": user.pk, "txt": dns_record(Algorithm.RSA, public)}


def upload(employees: int, domain: str, awkward: list[str]) -> Any:
    team, user = Team.objects.get(), User.objects.get()
    data = demo_payroll(employees, domain=domain, awkward=awkward)
    return {
        "workbook": load.upload(
            team=team, user=user, purpose=Purpose.PAYSLIP, name="工资.xlsx", data=data
        ).pk
    }


def workbook() -> Any:
    book = Workbook.objects.get()
    return {"state": book.state, "rows": book.row_count, "text": book.reject_text}


def launch(policy: str = "ask") -> Any:
    book, user = Workbook.objects.get(), User.objects.get()
    assert load.confirm(book, user, reading=book.reading)
    campaign = cast.a_campaign(
        book.team.relays.get(), book, template=book.team.templates.get(), in_doubt_policy=policy
    )
    ContentGrant.objects.create(team=book.team, user=user, campaign=campaign)
    assert control.launch(campaign, user)
    return {"campaign": campaign.pk}


def states() -> Any:
    campaign = Campaign.objects.get()
    rows = Delivery.objects.values_list("state", flat=True)
    counted: dict[str, int] = {}
    for state in rows:
        counted[state] = counted.get(state, 0) + 1
    return {"campaign": campaign.state, "deliveries": counted, "attempts": Attempt.objects.count()}


def deliveries() -> Any:
    """Every row as it ended, with what its employee should have got."""
    found = []
    for delivery in Delivery.objects.select_related("row__workbook__data_key"):
        opened = delivery.row.workbook.data_key.open_json(delivery.row.sealed)
        found.append(
            {
                "address": delivery.address,
                "state": delivery.state,
                "message_id": delivery.message_id,
                "net": opened["values"][-1],
                "name": opened["name"],
                "tries": delivery.tries.count(),
            }
        )
    return found


def feedback() -> Any:
    return {
        "bounces": list(Feedback.objects.values("kind", "address", "hard", "proof")),
        "suppressed": list(Suppression.objects.values_list("address", flat=True)),
    }


STEPS = {
    step.__name__: step
    for step in (found_company, upload, workbook, launch, states, deliveries, feedback)
}

if __name__ == "__main__":
    answer = STEPS[sys.argv[1]](**json.loads(sys.argv[2]))
    sys.stdout.write(json.dumps(answer, ensure_ascii=False, default=str))
