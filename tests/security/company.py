"""The company of the canary test, made in the site's own environment: `… -m tests.security.company JSON`."""

from __future__ import annotations

import json
import sys
from typing import Any

import django

django.setup()

from accounts.models import BounceMailbox  # noqa: E402
from campaigns.models import AlertChannel  # noqa: E402
from campaigns.models.alert import AlertKind  # noqa: E402
from tests import cast  # noqa: E402


def found(
    *, port: int, mailbox_port: int, secret: str, password: str, robot: str, robot_ca: str
) -> dict[str, Any]:
    """A team, its HR, a relay and a bounce mailbox with logins, a key, a template, a group robot."""
    team = cast.a_team()
    user = cast.a_user(team, email="hr@corp.example.com")
    user.set_password(password)
    user.save()
    mailbox = BounceMailbox.objects.create(
        team=team,
        name="退信",
        address="bounces@corp.example.com",
        host="127.0.0.1",
        port=mailbox_port,
        tls_mode="none",
        internal_allowed=True,
        username="bounces@corp.example.com",
        secret=secret,
        exclusive=True,
        return_path_pattern="bounce+{token}@corp.example.com",
    )
    relay = cast.a_relay(
        team,
        port,
        username="hr@corp.example.com",
        secret=secret,
        own_return_path=True,
        bounce_mailbox=mailbox,
    )
    cast.a_key(team)
    AlertChannel.objects.create(
        team=team,
        kind="wecom",
        name="群",
        url=robot,
        ca_pem=robot_ca,
        internal_allowed=True,
        events=list(AlertKind.values),
    )
    template = cast.a_template(team)
    return {"relay": relay.pk, "template": template.pk}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(found(**json.loads(sys.argv[1]))))
