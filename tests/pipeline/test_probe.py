"""Probe: "test it" against real sockets, each failure told by its step and reason."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import BounceMailbox
from campaigns.mailer.throttle import Window, WindowKind
from campaigns.models import DomainLimit, Probe, ReplyRule
from campaigns.models.probe import ProbeState
from campaigns.pipeline import probe as probing
from campaigns.pipeline.ledger import ledger, windows_of
from campaigns.pipeline.limited_domains import limited
from campaigns.views.probes import shown
from tests.cast import a_key, a_relay, a_team, a_user
from tests.fakes.certificates import issue
from tests.fakes.relay_script import Rule, Say
from tests.fakes.scripted_pop3 import ScriptedPop3
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SECRET = "canary-8f3k"


@pytest.fixture
def user():
    return a_user(a_team())


def relay_at(user, server, **fields):
    team = user.teams.first()
    return a_relay(team, server.port, from_addresses=["hr@corp.example.com"], **fields)


def probed(target, user) -> Probe:
    probe = probing.ask(target, user, user.email)
    probing.run(probe.pk)
    probe.refresh_from_db()
    return probe


def steps_of(probe: Probe) -> list[str]:
    return [step["step"] for step in probe.steps]


def failure_of(probe: Probe) -> tuple[str, str]:
    assert probe.state == ProbeState.FAILED
    assert all(step["ok"] for step in probe.steps[:-1])
    return probe.steps[-1]["step"], probe.steps[-1]["reason"]


def test_a_relay_that_works_gets_one_signed_message_to_whoever_asked(user, server):
    a_key(user.teams.first())
    probe = probed(relay_at(user, server), user)
    assert probe.state == ProbeState.PASSED
    assert steps_of(probe) == ["resolve", "connect", "greeting", "mail", "rcpt", "content"]
    (message,) = server.accepted
    assert (message.mail_from, message.rcpt_to) == ("hr@corp.example.com", (user.email,))
    assert message.content.startswith(b"DKIM-Signature:")
    assert probe.ended_at is not None


def test_a_probe_counts_in_the_quota(user, server):
    relay = relay_at(user, server)
    relay.limits.create(team=relay.team, window="hour", amount=10)
    probed(relay, user)
    assert ledger().usage(relay.quota_group, windows_of(relay)) == [1]


def test_a_probe_still_counts_after_a_restart(user, server):
    relay = relay_at(user, server)
    relay.limits.create(team=relay.team, window="hour", amount=10)
    probed(relay, user)
    ledger.cache_clear()
    assert ledger().usage(relay.quota_group, windows_of(relay)) == [1]


def test_a_probe_counts_among_what_goes_to_a_limited_domain(user, server):
    relay = relay_at(user, server)
    domain = user.email.partition("@")[2]
    limit = limited(
        DomainLimit.objects.create(team=relay.team, name="own", domains=[domain], hour=1)
    )
    probed(relay, user)
    for _ in range(2):
        assert ledger().usage(limit.group, limit.windows) == [1]
        ledger.cache_clear()
    assert failure_of(probed(relay, user)) == ("mail", "quota_full")
    assert ledger().usage(relay.quota_group, [Window(WindowKind.HOUR, 9)]) == [1], "given back"
    assert len(server.accepted) == 1


def test_a_probe_goes_by_the_teams_own_rules_and_says_them(user, server):
    server.script.add(Rule("dot", Say("554 5.7.1 come back on Monday")))
    relay = relay_at(user, server)
    ReplyRule.objects.create(
        team=relay.team, code="554", text="on Monday", action="park_relay", sentence="周一再发"
    )
    probe = probed(relay, user)
    assert failure_of(probe) == ("content", "ratelimited")
    assert shown(probe)["steps"][-1]["words"] == "周一再发"


def test_a_full_window_stops_the_probe_before_any_content(user, server):
    relay = relay_at(user, server)
    relay.limits.create(team=relay.team, window="hour", amount=1)
    probed(relay, user)
    assert failure_of(probed(relay, user)) == ("mail", "quota_full")
    assert len(server.accepted) == 1


def test_a_refused_recipient_gives_its_permit_back(user, server):
    server.script.add(Rule("rcpt", Say("550 5.1.1 no such user")))
    relay = relay_at(user, server)
    relay.limits.create(team=relay.team, window="hour", amount=1)
    assert failure_of(probed(relay, user)) == ("rcpt", "userunknown")
    assert ledger().usage(relay.quota_group, windows_of(relay)) == [0]


@pytest.mark.parametrize(
    ("phase", "said", "failure"),
    [
        ("banner", "554 no service", ("greeting", "relay_refused")),
        ("mail", "553 5.7.1 sender not owned by user", ("mail", "sender_refused")),
        ("dot", "554 5.7.1 looks like spam", ("content", "spamdetected")),
    ],
)
def test_what_the_server_refuses_is_told_by_its_step(user, server, phase, said, failure):
    server.script.add(Rule(phase, Say(said)))
    assert failure_of(probed(relay_at(user, server), user)) == failure


def test_a_wrong_password_is_told_and_appears_nowhere(user):
    options = RelayOptions(accounts={"hr": "right"}, tls="starttls", issued=issue())
    with ScriptedRelay(options, [Rule("auth", Say(f"535 5.7.8 {SECRET} is wrong"))]) as server:
        relay = relay_at(
            user,
            server,
            host="localhost",
            tls_mode="starttls",
            ca_pem=issue().ca_pem,
            username="hr",
            secret=SECRET,
        )
        probe = probed(relay, user)
    assert failure_of(probe) == ("login", "auth_refused")
    assert steps_of(probe) == ["resolve", "connect", "greeting", "tls", "login"]
    assert SECRET not in str(probe.steps)


def test_what_an_internal_host_says_is_never_shown(user, server):
    server.script.add(Rule("mail", Say("550 5.7.1 internal-banner-canary")))
    assert "canary" not in str(probed(relay_at(user, server), user).steps)


def test_a_public_relays_reply_is_shown_without_the_secret(user):
    relay = a_relay(user.teams.first(), internal_allowed=False, secret=SECRET)
    probe = Probe.objects.create(
        team=relay.team, relay=relay, asked_by=user, state=ProbeState.RUNNING
    )
    steps = probing.Steps(probe)
    steps.end(probing.Halt("login", "auth_refused", f"535 {SECRET}\u202e said\r\nno"))
    probe.refresh_from_db()
    assert probe.steps[-1]["text"] == "535 …  said no"


def test_a_private_address_needs_a_superusers_permission(user, server):
    relay = relay_at(user, server, internal_allowed=False)
    assert failure_of(probed(relay, user)) == ("resolve", "address_forbidden")
    assert server.connections == 0


@pytest.mark.parametrize(
    ("options", "host", "failure"),
    [
        (RelayOptions(tls="stripped"), "localhost", ("tls", "tls_missing")),
        (
            RelayOptions(tls="starttls", issued=issue("other.example")),
            "localhost",
            ("tls", "certificate_untrusted"),
        ),
        (
            RelayOptions(tls="starttls", issued=issue(expired=True)),
            "localhost",
            ("tls", "certificate_expired"),
        ),
    ],
)
def test_faults_of_the_encryption_are_told(user, options, host, failure):
    with ScriptedRelay(options) as server:
        ca = issue(expired=True).ca_pem if failure[1] == "certificate_expired" else ""
        relay = relay_at(user, server, host=host, tls_mode="starttls", ca_pem=ca)
        assert failure_of(probed(relay, user)) == failure
        assert not server.accepted


def test_a_certificate_for_another_host_is_told(user):
    issued = issue("other.example")
    with ScriptedRelay(RelayOptions(tls="implicit", issued=issued)) as server:
        relay = relay_at(user, server, host="localhost", tls_mode="implicit", ca_pem=issued.ca_pem)
        probe = probed(relay, user)
    assert failure_of(probe) == ("tls", "certificate_host")
    assert steps_of(probe) == ["resolve", "connect", "tls"]


def test_nobody_listening_is_told(user):
    relay = a_relay(user.teams.first(), port=1, from_addresses=["a@b.cn"])
    assert failure_of(probed(relay, user)) == ("connect", "unreachable")


@pytest.mark.parametrize(
    ("entries", "sender"),
    [
        (["@b.cn", "a@b.cn"], "a@b.cn"),
        (["@corp.example.com"], "alice@corp.example.com"),
        (["@b.cn"], "postmaster@b.cn"),
    ],
)
def test_the_sender_is_one_that_the_relay_may_use(user, entries, sender):
    relay = a_relay(user.teams.first(), from_addresses=entries)
    assert probing.sender_of(relay, user.email) == sender


def test_two_workers_send_one_message(user, server):
    probe = probing.ask(relay_at(user, server), user, user.email)
    probing.run(probe.pk)
    probing.run(probe.pk)
    assert len(server.accepted) == 1
    assert probing.waiting() == []


def test_asking_twice_is_one_probe(user, server):
    relay = relay_at(user, server)
    assert probing.ask(relay, user, user.email) == probing.ask(relay, user, user.email)


def test_a_dead_workers_probe_is_taken_over(user, server):
    probe = probing.ask(relay_at(user, server), user, user.email)
    Probe.objects.filter(pk=probe.pk).update(
        state=ProbeState.RUNNING, lease_until=timezone.now() - timedelta(seconds=1)
    )
    assert probing.waiting() == [probe.pk]
    probing.run(probe.pk)
    probe.refresh_from_db()
    assert probe.state == ProbeState.PASSED


def test_a_probe_that_never_ends_is_given_up(user, server):
    probe = probing.ask(relay_at(user, server), user, user.email)
    Probe.objects.filter(pk=probe.pk).update(created_at=timezone.now() - timedelta(hours=1))
    probing.run(probe.pk)
    probe.refresh_from_db()
    assert failure_of(probe) == ("connect", "interrupted")
    assert not server.accepted


def mailbox_at(user, port, **fields):
    given = {"tls_mode": "none", "internal_allowed": True, "host": "127.0.0.1", "username": "b"}
    return BounceMailbox.objects.create(
        team=user.teams.first(), name="退信", address="b@c.cn", port=port, **{**given, **fields}
    )


def test_a_mailbox_is_counted_and_nothing_is_read(user):
    with ScriptedPop3([b"a\r\n", b"b\r\n"]) as server:
        probe = probed(mailbox_at(user, server.port, secret="s"), user)
        said = " ".join(server.log)
    assert probe.state == ProbeState.PASSED
    assert (probe.steps[-1]["step"], probe.steps[-1]["count"]) == ("list", 2)
    assert "RETR" not in said
    assert "DELE" not in said


def test_a_mailbox_whose_login_is_refused_is_told(user):
    answers = {"AUTH": b"-ERR wrong\r\n", "PASS": b"-ERR wrong\r\n"}
    with ScriptedPop3(answers=answers) as server:
        probe = probed(mailbox_at(user, server.port, secret=SECRET), user)
    assert failure_of(probe) == ("login", "auth_refused")
    assert SECRET not in str(probe.steps)


def test_a_mailbox_with_stls_is_encrypted_before_the_login(user):
    issued = issue()
    with ScriptedPop3(tls=issued.server_context()) as server:
        box = mailbox_at(
            user,
            server.port,
            secret="s",
            host="localhost",
            tls_mode="starttls",
            ca_pem=issued.ca_pem,
        )
        probe = probed(box, user)
        log = server.log
    assert probe.state == ProbeState.PASSED
    assert log.index("STLS") < next(i for i, line in enumerate(log) if line.startswith("AUTH"))


def test_a_setting_that_cannot_be_used_is_told(user):
    assert failure_of(probed(mailbox_at(user, 1, secret=""), user)) == ("connect", "settings")
