"""Makes a company with a launched campaign on the site's database: `python -m tests.faults.actor JSON`.

A process of its own, like a web server's: the tests' own Django is bound to another database.
"""

from __future__ import annotations

import json
import sys
import uuid
from typing import Any

import django

django.setup()

from accounts.models import Relay, RelayLimit  # noqa: E402
from campaigns.models import Campaign, CampaignRelay  # noqa: E402
from campaigns.models.template import Kind  # noqa: E402
from campaigns.pipeline import control  # noqa: E402
from tests import cast  # noqa: E402

NEWS = '<p>你好 {{ 姓名 }} <a href="{{ unsubscribe_url }}">退订</a></p>'


def launch(
    port: int,
    count: int,
    kind: str = "payslip",
    relay: dict[str, Any] | None = None,
    limits: dict[str, int] | None = None,
    other_port: int | None = None,
    **fields: Any,
) -> dict[str, int]:
    """A campaign to `count` recipients through a relay of its own; ids of both. With another port
    a second relay carries half of it."""
    team = cast.a_team(f"公司 {uuid.uuid4().hex[:8]}")
    cast.a_key(team)
    given = {"name": f"中继 {team.pk}", "quota_group": f"faults-{team.pk}"} | (relay or {})
    made = cast.a_relay(team, port, **given)
    for window, amount in (limits or {}).items():
        RelayLimit.objects.create(team=team, relay=made, window=window, amount=amount)
    campaign = _draft(made, count, kind, fields)
    if other_port is not None:
        second = {"name": "另一个", "quota_group": f"faults-{team.pk}-2"}
        other = cast.a_relay(team, other_port, **(given | second))
        for carrier in (made, other):
            CampaignRelay.objects.create(team=team, campaign=campaign, relay=carrier)
    assert control.launch(campaign, None)
    return {"campaign": campaign.pk, "relay": made.pk}


def _draft(relay: Relay, count: int, kind: str, fields: dict[str, Any]) -> Campaign:
    addresses = [f"p{number}@example.com" for number in range(count)]
    if kind == Kind.PAYSLIP:
        return cast.a_campaign(relay, cast.a_payroll(relay.team, addresses), **fields)
    template = cast.a_template(relay.team, Kind.NEWSLETTER, subject="新闻", html=NEWS)
    readers = cast.a_list(relay.team, addresses)
    return cast.a_campaign(relay, contact_list=readers, template=template, **fields)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(launch(**json.loads(sys.argv[1]))))
