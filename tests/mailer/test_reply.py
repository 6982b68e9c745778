"""What relays' replies mean (RFC 5321 4.2, RFC 3463; the fault scenarios' provider replies)."""

import time
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer.reply import (
    MAX_TEXT,
    LinkFailure,
    Outcome,
    Phase,
    Reply,
    ReplyRule,
    Scope,
    Verdict,
    classify,
)
from campaigns.mailer.reply_reasons import NEEDS_PERSON, Reason, sentence_zh
from campaigns.mailer.reply_rules import RULES

MINUTE = timedelta(minutes=1)


def reply(line: str) -> Reply:
    return Reply.parse(int(line[:3]), [line[4:].encode()])


def verdict(phase: Phase, line: str) -> Verdict:
    return classify(phase, reply(line), RULES)


# --- reading a reply


def test_it_separates_the_enhanced_status_from_the_text() -> None:
    assert reply("550 5.1.1 no such user") == Reply(550, "5.1.1", "no such user")
    assert reply("250 Ok: queued as 4XyZ") == Reply(250, None, "Ok: queued as 4XyZ")
    assert reply("250 2.0.0") == Reply(250, "2.0.0", "")
    assert reply("220 5.10.mail.example.cn ready").enhanced is None


def test_it_joins_lines_and_drops_the_repeated_status() -> None:
    lines = [b"5.7.1 first", b"5.7.1 second", b"", b"third"]
    assert Reply.parse(550, lines) == Reply(550, "5.7.1", "first second third")


def test_it_reads_utf8_and_gbk_and_survives_anything_else() -> None:
    assert Reply.parse(550, ["用户不存在".encode()]).text == "用户不存在"
    assert Reply.parse(550, ["用户不存在".encode("gb18030")]).text == "用户不存在"
    assert "\ufffd" in Reply.parse(550, [b"caf\xff\xff\xfe"]).text


def test_it_truncates_and_neutralises_what_could_deceive_a_reader() -> None:
    text = Reply.parse(550, ["a\r\nSet-Cookie: x\x00\x1b[31mred\u202egnp\u2028b".encode()]).text
    assert text == "a Set-Cookie: x [31mred gnp b"
    assert len(Reply.parse(550, [b"x" * 100_000] * 50).text) == MAX_TEXT


@given(st.integers(200, 599), st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_become_one_short_printable_line(code: int, lines: list[bytes]) -> None:
    got = Reply.parse(code, lines)
    assert len(got.text) <= MAX_TEXT
    assert not set(got.text) & set("\r\n\0\x1b\u2028\u202e\x85")


# --- the recipient


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("550 5.1.1 <wang@example.cn>: User unknown", Reason.USER_UNKNOWN),
        ("550 5.1.1 <spam.full@example.cn>: Recipient address rejected", Reason.USER_UNKNOWN),
        ("550 User not found: wang@example.cn", Reason.USER_UNKNOWN),
        ("550 Invalid User", Reason.USER_UNKNOWN),
        ("550 Mailbox not found. http://service.mail.example/", Reason.USER_UNKNOWN),
        ("550 用户不存在", Reason.USER_UNKNOWN),
        ("550 5.1.2 host not found", Reason.HOST_UNKNOWN),
        ("551 5.1.6 has moved", Reason.MOVED),
        ("556 5.1.10 null MX", Reason.TAKES_NO_MAIL),
    ],
)
def test_a_dead_address_is_refused_for_ever(line: str, reason: Reason) -> None:
    for phase in (Phase.RCPT, Phase.CONTENT):
        assert verdict(phase, line) == Verdict(
            Outcome.REFUSED, Scope.RECIPIENT, reason, permanent_address=True
        )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("550 5.1.1 mailbox full", Reason.MAILBOX_FULL),
        ("550 5.1.1 account suspended", Reason.MAILBOX_DISABLED),
        ("552 5.2.2 over quota", Reason.MAILBOX_FULL),
        ("550 5.2.1 mailbox disabled", Reason.MAILBOX_DISABLED),
        ("550 User suspended", Reason.MAILBOX_DISABLED),
        ("550 5.1.3 bad address syntax", Reason.BAD_ADDRESS),
        ("550 5.7.1 message refused", Reason.REFUSED),
        ("550 5.7.1 user unknown to our policy", Reason.REFUSED),
        ("550 5.1.1 rejected by policy", Reason.REFUSED),
        ("550 no", Reason.REFUSED),
        ("553 5.6.7 SMTPUTF8 is required", Reason.NEEDS_SMTPUTF8),
    ],
)
def test_a_living_address_is_refused_but_not_suppressed(line: str, reason: Reason) -> None:
    assert verdict(Phase.RCPT, line) == Verdict(Outcome.REFUSED, Scope.RECIPIENT, reason)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("450 4.2.0 Greylisted, please try again in 300 seconds", Reason.GREYLISTED),
        ("451 4.7.1 try again later", Reason.GREYLISTED),
        ("451 local error", Reason.TEMPORARY),
        ("452 4.2.2 over quota", Reason.MAILBOX_FULL),
        ("450 4.2.1 The user you are trying to contact is receiving mail", Reason.TEMPORARY),
    ],
)
def test_4yz_defers_this_recipient_alone(line: str, reason: Reason) -> None:
    got = verdict(Phase.RCPT, line)
    assert got == Verdict(Outcome.DEFERRED, Scope.RECIPIENT, reason)
    assert got.counts_as_attempt


# --- F12: text rules override the code


@pytest.mark.parametrize(
    "line",
    [
        "550 Domain frequency limited",
        "550 Sender frequency limited",
        "550 Connection frequency limited",
        "550 Mailbox unavailable or access denied",
        "550 MI:STC 163 smtp4,D9GowACX,1",
        "554 MI:STC 163",
        "550 RP:TRC 163 smtp1",
        "451 RP:QRC",
        "421 HL:IFC 163 smtp10",
        "421 HL:ICC",
        "421 HL:REP 163",
        "451 MI:SFQ 163 smtp7",
        "454 4.7.0 Temporary authentication failure",
        "421 4.7.0 Try again later, closing connection",
        "454 Throttling failure: Maximum sending rate exceeded.",
        "454 Throttling failure: Daily message quota exceeded.",
        "550 5.4.5 Daily user sending limit exceeded",
        "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
        "553 Reject by behaviour spam at Rcpt State ANTISPAM_BAT[01]:too frequently sending",
        "432 4.3.2 Concurrent connections limit exceeded",
    ],
)
@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.RCPT, Phase.CONTENT])
def test_a_throttle_reply_parks_the_relay_and_never_costs_an_address(
    line: str, phase: Phase
) -> None:
    got = verdict(phase, line)
    assert got.outcome is Outcome.DEFERRED
    assert got.scope is Scope.RELAY
    assert got.park_for
    assert not got.permanent_address
    assert not got.counts_as_attempt


def test_netease_15_minutes_and_a_day_are_parked_for_their_time() -> None:
    assert verdict(Phase.MAIL, "451 MI:SFQ").park_for == 15 * MINUTE
    assert verdict(Phase.MAIL, "550 MI:STC").reason is Reason.DAY_LIMIT


@pytest.mark.parametrize("line", ["450 MI:DMC 163", "451 RP:DRC", "452 4.5.3 Too many recipients"])
def test_a_limit_per_connection_asks_for_a_new_connection(line: str) -> None:
    got = verdict(Phase.RCPT, line)
    assert (got.outcome, got.scope) == (Outcome.DEFERRED, Scope.CONNECTION)


@pytest.mark.parametrize("line", ["554 DT:SPM 163 smtp14", "451 DT:SPM ,please try again"])
def test_a_spam_verdict_is_about_the_content(line: str) -> None:
    got = verdict(Phase.CONTENT, line)
    assert (got.outcome, got.scope, got.reason) == (Outcome.DEFERRED, Scope.CONTENT, Reason.SPAM)
    assert got.reason in NEEDS_PERSON


def test_an_edited_rule_goes_before_the_code() -> None:
    rule = ReplyRule(Reason.RATE_LIMITED, Scope.RELAY, MINUTE, ("SLOW DOWN",), (550,))
    assert classify(Phase.RCPT, reply("550 please slow down"), [rule]).park_for == MINUTE
    assert classify(Phase.RCPT, reply("551 please slow down"), [rule]).outcome is Outcome.REFUSED


def test_a_quoted_address_cannot_trigger_a_rule() -> None:
    got = verdict(Phase.RCPT, "550 5.1.1 <dt:spm@example.cn>: User unknown")
    assert got.permanent_address


# --- sender, login, session, message


@pytest.mark.parametrize(
    "line",
    [
        "553 5.7.1 <hr@example.cn>: Sender address rejected: not owned by user",
        "501 mail from address must be same as authorization user",
        "550 5.7.60 Client does not have permissions to send as this sender",
        "550 denied",
    ],
)
def test_a_refused_sender_never_refuses_the_recipient(line: str) -> None:
    got = verdict(Phase.MAIL, line)
    assert (got.outcome, got.scope, got.reason) == (
        Outcome.DEFERRED,
        Scope.RELAY,
        Reason.SENDER_REFUSED,
    )
    assert got.reason in NEEDS_PERSON


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("535 5.7.8 authentication failed", Reason.AUTH_REFUSED),
        ("534 5.7.9 Application-specific password required", Reason.AUTH_REFUSED),
        ("451 Requested mail action not taken: too much fail authentication", Reason.AUTH_LOCKED),
        ("454 temporary failure", Reason.AUTH_LOCKED),
    ],
)
def test_a_refused_login_parks_the_relay(line: str, reason: Reason) -> None:
    got = verdict(Phase.AUTH, line)
    assert (got.outcome, got.scope, got.reason) == (Outcome.DEFERRED, Scope.RELAY, reason)
    assert got.park_for


def test_authentication_demanded_later_is_the_relays_trouble_too() -> None:
    assert verdict(Phase.MAIL, "530 5.7.0 Authentication required").scope is Scope.RELAY
    assert verdict(Phase.RCPT, "554 5.7.1 <x@y.cn>: Relay access denied").scope is Scope.RELAY


@pytest.mark.parametrize("phase", [Phase.GREETING, Phase.MAIL, Phase.RCPT, Phase.CONTENT])
def test_421_defers_and_burns_no_attempt(phase: Phase) -> None:
    got = verdict(phase, "421 4.4.2 timeout, closing")
    assert got.outcome is Outcome.DEFERRED
    assert not got.counts_as_attempt


def test_a_refused_session_parks_the_relay() -> None:
    assert verdict(Phase.GREETING, "554 no service").park_for == 15 * MINUTE
    assert verdict(Phase.EHLO, "451 later").park_for == 5 * MINUTE


def test_a_size_refusal_is_about_the_content() -> None:
    for phase, line in [(Phase.MAIL, "552 too big"), (Phase.CONTENT, "552 5.3.4 too big")]:
        assert verdict(phase, line) == Verdict(Outcome.REFUSED, Scope.CONTENT, Reason.TOO_BIG)
    assert verdict(Phase.RCPT, "552 storage").reason is Reason.MAILBOX_FULL


def test_after_the_dot_only_2yz_accepts() -> None:
    assert verdict(Phase.CONTENT, "250 2.0.0 queued").outcome is Outcome.ACCEPTED
    assert verdict(Phase.CONTENT, "354 again?").outcome is Outcome.IN_DOUBT


def test_a_lost_dialogue_is_nobodys_refusal() -> None:
    assert verdict(Phase.RCPT, "503 bad sequence").scope is Scope.CONNECTION
    assert verdict(Phase.DATA, "250 ok").reason is Reason.PROTOCOL


# --- no reply


def test_a_link_lost_before_the_dot_is_deferred_and_after_it_in_doubt() -> None:
    before = classify(Phase.CONTENT, LinkFailure(Reason.LOST), RULES)
    after = classify(Phase.CONTENT, LinkFailure(Reason.LOST, dot_sent=True), RULES)
    assert (before.outcome, after.outcome) == (Outcome.DEFERRED, Outcome.IN_DOUBT)
    assert not before.counts_as_attempt


def test_a_bad_certificate_parks_the_relay_for_a_person() -> None:
    got = classify(Phase.STARTTLS, LinkFailure(Reason.CERTIFICATE_HOST), RULES)
    assert got.scope is Scope.RELAY
    assert got.reason in NEEDS_PERSON


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_chinese_sentence(reason: Reason) -> None:
    assert any("\u4e00" <= sign <= "\u9fff" for sign in sentence_zh(reason))


@given(
    st.sampled_from(Phase),
    st.integers(400, 599),
    st.sampled_from(["", "5.1.1 ", "4.7.0 "]),
    st.text(max_size=80),
)
def test_no_error_reply_is_ever_accepted_or_in_doubt(
    phase: Phase, code: int, status: str, text: str
) -> None:
    got = classify(phase, Reply.parse(code, [(status + text).encode()]), RULES)
    assert got.outcome in (Outcome.DEFERRED, Outcome.REFUSED)
    assert not (got.permanent_address and got.outcome is not Outcome.REFUSED)
    assert not (400 <= code < 500 and got.outcome is Outcome.REFUSED and "security" not in text)


@pytest.mark.parametrize("sign", ["a", " ", "<", "@", "\u3000"])
def test_no_text_makes_classifying_slow(sign: str) -> None:
    started = time.perf_counter()
    classify(Phase.RCPT, Reply.parse(550, [(sign * 100_000).encode()]), RULES)
    assert time.perf_counter() - started < 0.1
