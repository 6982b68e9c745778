"""Probe: "test it" for a relay or a bounce mailbox, step by step, each step's outcome in a code.

A page writes the row, a worker claims it by a lease, the page polls it. A relay's probe sends one
short signed message to the address of whoever asked, and counts in the quota ledger like any other.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import BounceMailbox, Relay, User
from accounts.secrets import SecretUnreadable
from campaigns.mailer.address import AddressFault, Mailbox, domain_of
from campaigns.mailer.message import MessageFault, Skeleton
from campaigns.mailer.mx import Undeliverable
from campaigns.mailer.pop3_errors import MaildropFailure
from campaigns.mailer.pop3_settings import PopTimeouts
from campaigns.mailer.reply import Outcome, Phase, Reply, classify
from campaigns.mailer.signing import SigningFault
from campaigns.mailer.smtp import Connection
from campaigns.mailer.smtp_envelope import Envelope
from campaigns.mailer.smtp_errors import ContentFailure, EnvelopeRefused, RelayFailure
from campaigns.mailer.smtp_settings import Timeouts
from campaigns.models import Probe
from campaigns.models.probe import ProbeState
from campaigns.models.signals import announce
from campaigns.pipeline import oauth
from campaigns.pipeline.compose import signers
from campaigns.pipeline.ledger import ledger, windows_of
from campaigns.pipeline.limited_domains import limit_for, limits_of
from campaigns.pipeline.relay_settings import maildrop_settings, open_maildrop
from campaigns.pipeline.reply_rules import rules_of
from campaigns.pipeline.ways import connected

log = logging.getLogger(__name__)

# Longer than all timeouts of a probe together: a lease that ran out is a dead worker's.
LEASE = timedelta(minutes=6)
# A probe that no worker finished in this time is not started once more.
GIVEN_UP_AFTER = timedelta(minutes=20)
# Somebody is waiting at the page, so a probe is less patient than a campaign. Seconds.
_SMTP_TIMEOUTS = Timeouts(
    connect=10, greeting=20, command=20, data_go_ahead=30, final_dot=90, write=30, setup=60
)
_POP_TIMEOUTS = PopTimeouts(connect=10, greeting=20, command=20, listing=60, quit=10, session=150)
_PERMIT_WAIT = 5.0

_TLS_REASONS = frozenset(
    {
        "tls_missing",
        "tls_injection",
        "tls_failed",
        "certificate_host",
        "certificate_expired",
        "certificate_untrusted",
        "ca_unreadable",
    }
)
_RESOLVING = frozenset({"unresolved", "address_forbidden", "plain_text_forbidden"})
_STEP_OF_PHASE = {
    "connect": "connect",
    "greeting": "greeting",
    "ehlo": "greeting",
    "starttls": "tls",
    "stls": "tls",
    "auth": "login",
    "login": "login",
    "list": "list",
    "mail": "mail",
    "rcpt": "rcpt",
    "data": "content",
    "content": "content",
}


class Halt(Exception):
    """The probe ends here: this step failed. `text` is what the server said, or ""."""

    def __init__(self, step: str, reason: str, text: str = "") -> None:
        super().__init__(f"{step}: {reason}")
        self.step, self.reason, self.text = step, reason, text


def ask(target: Relay | BounceMailbox, user: User, address: str) -> Probe:
    """A waiting probe, or the one that is under way already; `address` gets a relay's test message."""
    which = {"relay": target} if isinstance(target, Relay) else {"mailbox": target}
    under_way = Probe.objects.filter(
        **which, state__in=[ProbeState.WAITING, ProbeState.RUNNING], asked_by=user
    ).first()
    if under_way is not None:
        return under_way
    probe = Probe.objects.create(team=target.team, asked_by=user, address=address, **which)
    announce("run_probe", probe.pk)
    return probe


def waiting() -> list[int]:
    """Ids to run: those nobody took, and those whose worker's lease ran out."""
    return list(_free().values_list("pk", flat=True))


def run(probe_id: int) -> None:
    """Takes the probe unless another worker has it, and works through its steps. Raises nothing."""
    now = timezone.now()
    taken = (
        _free()
        .filter(pk=probe_id)
        .update(state=ProbeState.RUNNING, lease_until=now + LEASE, steps=[])
    )
    if not taken:
        return
    probe = Probe.objects.select_related("relay", "mailbox", "asked_by").get(pk=probe_id)
    steps = Steps(probe)
    if probe.created_at < now - GIVEN_UP_AFTER:
        steps.end(Halt("connect", "interrupted"))
        return
    with translation.override(probe.asked_by.language if probe.asked_by else None):
        steps.end(_outcome(probe, steps))


def _free() -> Any:
    return Probe.objects.filter(
        Q(state=ProbeState.WAITING) | Q(state=ProbeState.RUNNING, lease_until__lte=timezone.now())
    )


def _outcome(probe: Probe, steps: Steps) -> Halt | None:
    """None where every step went well."""
    try:
        if probe.relay is not None:
            _probe_relay(probe, probe.relay, steps)
        elif probe.mailbox is not None:
            _probe_mailbox(probe.mailbox, steps)
    except Halt as halt:
        return halt
    except SecretUnreadable:
        return Halt("login", "secret_unreadable")
    except Exception as error:
        # The class alone: an error's text might quote a setting.
        log.error("Probe %s broke off: %s", probe.pk, type(error).__name__)
        return Halt("connect", "interrupted")
    return None


class Steps:
    """What the page shows: each step that went well is written at once, the failed one ends it."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.done: list[dict[str, Any]] = []
        target = probe.relay or probe.mailbox
        # What answers on an internal host is nobody's business: no probe reads banners for its user.
        self.shows_replies = target is not None and not target.internal_allowed
        self.secret = "" if target is None else str(target.secret)
        self.rules = rules_of(probe.relay) if probe.relay else ()
        self.words = ""

    def passed(self, *names: str, text: str = "", **values: Any) -> None:
        for name in names:
            self.done.append({"step": name, "ok": True, "text": self._shown(text), **values})
        self._write(steps=self.done)

    def end(self, halt: Halt | None) -> None:
        if halt is not None:
            text = self._shown(halt.text)
            failed = {"step": halt.step, "ok": False, "reason": halt.reason, "text": text}
            self.done.append(failed | ({"words": self.words} if self.words else {}))
        state = ProbeState.FAILED if halt else ProbeState.PASSED
        self._write(steps=self.done, state=state, ended_at=timezone.now(), lease_until=None)

    def reason(self, phase: Phase, reply: Reply) -> str:
        """What a campaign would make of the reply; an own rule says it in its maker's words."""
        verdict = classify(phase, reply, self.rules)
        own = next((rule for rule in self.rules if rule.key == verdict.rule), None)
        self.words = own.sentence if own else ""
        return str(verdict.reason)

    def _shown(self, text: str) -> str:
        """Neutralised, and without the secret if a server repeats it."""
        if not self.shows_replies:
            return ""
        text = Reply.parse(0, [text.encode("utf-8", "replace")]).text[:300]
        return text.replace(self.secret, "…") if len(self.secret) > 3 else text

    def _write(self, **values: Any) -> None:
        Probe.objects.filter(pk=self.probe.pk, state=ProbeState.RUNNING).update(**values)


# A relay -------------------------------------------------------------------------------------------


def _probe_relay(probe: Probe, relay: Relay, steps: Steps) -> None:
    sender = sender_of(relay, probe.address)
    order = _order(relay.tls_mode, login=bool(relay.username))
    try:
        line = connected(relay, probe.address, _SMTP_TIMEOUTS)
    except ValueError:
        raise Halt("connect", "settings") from None
    except oauth.TokenTrouble as trouble:
        raise Halt("login", str(trouble.reason), trouble.said) from None
    except Undeliverable as nowhere:
        raise Halt("resolve", str(nowhere.reason)) from None
    except RelayFailure as failure:
        raise _halt_at(order, steps, failure.phase, failure.kind, failure.reply) from None
    steps.passed(*order)
    with line:
        content = _content(probe, sender)
        permits = _permits(probe, relay)
        used = True
        try:
            _send(line, Envelope(sender, probe.address, size=len(content)), content, steps)
        except Halt as halt:
            used = halt.step == "content"
            raise
        finally:
            _end_permits(permits, used=used)


def sender_of(relay: Relay, address: str) -> str:
    """Whom the test comes from: the first address the relay may use; for a domain its postmaster."""
    for entry in relay.from_addresses:
        if not entry.startswith("@"):
            return str(entry)
    for entry in relay.from_addresses:
        if address.lower().endswith(entry.lower()):
            return address
        return f"postmaster{entry}"
    raise Halt("mail", "no_from_address")


def _order(tls_mode: str, *, login: bool) -> list[str]:
    """The steps of opening, in the order in which they happen."""
    tls = {"implicit": ["tls", "greeting"], "starttls": ["greeting", "tls"]}
    steps = ["resolve", "connect", *tls.get(tls_mode, ["greeting"])]
    return [*steps, "login"] if login else steps


def _halt_at(
    order: Sequence[str], steps: Steps, phase: str, kind: str, reply: Reply | str | None
) -> Halt:
    """Marks the steps before the failed one as passed."""
    step = _step(str(phase), str(kind))
    if step in order:
        steps.passed(*order[: list(order).index(step)])
    reason = str(kind)
    if isinstance(reply, Reply):
        # "refused" at the login may be a wrong password or a locked account: the reply tells.
        reason = steps.reason(Phase(phase), reply)
    return Halt(step, reason, str(reply or ""))


def _step(phase: str, kind: str) -> str:
    if kind in _RESOLVING:
        return "resolve"
    if kind in _TLS_REASONS:
        return "tls"
    return _STEP_OF_PHASE.get(phase, "connect")


def _content(probe: Probe, sender: str) -> bytes:
    """A short message with the signatures that a campaign from this domain would carry."""
    now = timezone.now()
    domain = sender.rpartition("@")[2].lower()
    words = _("这是一封测试邮件：发信账号“%(relay)s”可以发信。") % {"relay": probe.relay}
    try:
        message = Skeleton(from_=Mailbox(_("鸿雁"), sender), reply_to=None).build(
            to=Mailbox("", probe.address),
            subject=_("发信账号测试"),
            html=f"<p>{_escaped(words)}</p>",
            text=words + "\n",
            message_id=f"<probe.{probe.pk}.{secrets.token_hex(8)}@{domain}>",
            date=now,
        )
        return message.content([s.sign(message, now=now) for s in signers(probe.team_id, domain)])
    except SigningFault:
        raise Halt("mail", "key_unusable") from None
    except (MessageFault, AddressFault):
        raise Halt("mail", "malformed") from None


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _permits(probe: Probe, relay: Relay) -> list[tuple[str, str]]:
    """(group, permit) of the relay and, where it is limited, of the address's domain."""
    wanted = [(relay.quota_group, windows_of(relay))]
    if limit := limit_for(domain_of(probe.address), limits_of(probe.team_id)):
        wanted.append((limit.group, list(limit.windows)))
    held: list[tuple[str, str]] = []
    deadline = time.monotonic() + _PERMIT_WAIT
    for group, windows in wanted:
        while not (permit := ledger().acquire(group, windows, f"probe{probe.pk}", 1)).ids:
            if time.monotonic() + permit.wait > deadline:
                _end_permits(held, used=False)
                raise Halt("mail", "quota_full")
            time.sleep(permit.wait + 0.01)
        held.append((group, permit.ids[0]))
    return held


def _end_permits(permits: Sequence[tuple[str, str]], *, used: bool) -> None:
    """A message whose content began counts, whatever became of it."""
    book = ledger()
    for group, permit in permits:
        (book.settle if used else book.release)(group, [permit])


def _send(line: Connection, envelope: Envelope, content: bytes, steps: Steps) -> None:
    """Every failure is a Halt."""
    try:
        line.start(envelope)
        answer = line.go_ahead()
    except EnvelopeRefused as refused:
        raise Halt("rcpt", str(refused.reason)) from None
    except RelayFailure as failure:
        step = _step(str(failure.phase), str(failure.kind))
        raise Halt(
            step if step != "content" else "rcpt", str(failure.kind), str(failure.reply or "")
        ) from None
    if answer.refused is not None:
        phase, reply = answer.refused
        if phase is not Phase.MAIL:
            steps.passed("mail")
        step = "mail" if phase is Phase.MAIL else "rcpt"
        raise Halt(step, steps.reason(phase, reply), str(reply))
    steps.passed("mail", "rcpt")
    try:
        reply = line.content(content)
    except ContentFailure as failure:
        raise Halt("content", str(failure.kind), str(failure.reply or "")) from None
    if classify(Phase.CONTENT, reply, steps.rules).outcome is not Outcome.ACCEPTED:
        raise Halt("content", steps.reason(Phase.CONTENT, reply), str(reply))
    steps.passed("content", text=str(reply))


# A mailbox -----------------------------------------------------------------------------------------


def _probe_mailbox(mailbox: BounceMailbox, steps: Steps) -> None:
    """Connects, logs in and counts; nothing is read or deleted."""
    try:
        settings = replace(maildrop_settings(mailbox), timeouts=_POP_TIMEOUTS)
    except ValueError:
        raise Halt("connect", "settings") from None
    except oauth.TokenTrouble as trouble:
        raise Halt("login", str(trouble.reason), trouble.said) from None
    order = _order(mailbox.tls_mode, login=True)
    try:
        maildrop = open_maildrop(settings)
    except MaildropFailure as failure:
        raise _halt_at(order, steps, failure.phase, failure.kind, failure.reply) from None
    steps.passed(*order)
    with maildrop:
        try:
            count = len(maildrop.list())
            steps.passed("list", count=count)
            maildrop.quit()
        except MaildropFailure as failure:
            raise Halt("list", str(failure.kind), failure.reply) from None
