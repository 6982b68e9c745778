"""Our POP3 client as the tests point it at a scripted server on loopback."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from campaigns.mailer.pop3 import Maildrop
from campaigns.mailer.pop3_errors import MaildropFailure
from campaigns.mailer.pop3_settings import Pop3Settings, PopTimeouts, PopTls
from tests.fakes.scripted_pop3 import ScriptedPop3

QUICK = PopTimeouts(1.0, 0.3, 0.3, 0.3, 0.3, 0.3, 5.0)
PASSWORD = "sesame-open-7"


def settings(port: int, **changes: object) -> Pop3Settings:
    values: dict[str, object] = {
        "host": "localhost",
        "port": port,
        "tls": PopTls.NONE,
        "username": "bounces@hongyan.example",
        "password": PASSWORD,
        "timeouts": QUICK,
        "allow_private": True,
    }
    return Pop3Settings(**(values | changes))  # type: ignore[arg-type]


def only_v4(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def open_on(server: ScriptedPop3, **changes: object) -> Maildrop:
    return Maildrop.open(settings(server.port, **changes), resolver=only_v4)


def failure_of(server: ScriptedPop3, act: Callable[[Maildrop], object]) -> MaildropFailure:
    with pytest.raises(MaildropFailure) as caught, open_on(server) as maildrop:
        act(maildrop)
    return caught.value


def refusal_of(server: ScriptedPop3, **changes: object) -> MaildropFailure:
    with pytest.raises(MaildropFailure) as caught:
        open_on(server, **changes)
    return caught.value
