"""The SMTP server, seen by smtplib and by a client that sends ahead."""

import base64
import json
import smtplib
import socket
import time

import pytest

from campaigns.sandbox import MailSandbox
from campaigns.sandbox import rules as rules_module
from campaigns.sandbox import smtp as smtp_module

from .conftest import SENDER, eventually, message


def send(client: smtplib.SMTP, to: str, *, sender: str = SENDER) -> None:
    client.sendmail(sender, [to], message(to))


class Raw:
    """A client without manners."""

    def __init__(self, sandbox: MailSandbox) -> None:
        self.socket = socket.create_connection(("127.0.0.1", sandbox.ports.smtp), timeout=5)
        self.lines = self.socket.makefile("rb")

    def say(self, *commands: str) -> None:
        self.socket.sendall("".join(f"{command}\r\n" for command in commands).encode())

    def reply(self) -> str:
        line = self.lines.readline().decode()
        while line[3:4] == "-":
            line = self.lines.readline().decode()
        return line.rstrip()

    def replies(self, count: int) -> list[str]:
        return [self.reply()[:3] for _ in range(count)]

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


@pytest.fixture
def raw(sandbox):
    client = Raw(sandbox)
    client.reply()
    client.say("EHLO me", "AUTH PLAIN AHNhbmRib3gAc2FuZGJveA==")
    assert client.replies(2) == ["250", "235"]
    yield client
    client.close()


def test_it_offers_what_it_can_do(smtp):
    offered = {"size", "8bitmime", "smtputf8", "pipelining", "dsn", "auth"}
    assert offered <= set(smtp.esmtp_features)
    assert smtp.esmtp_features["auth"].split() == ["LOGIN", "PLAIN"]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_it_takes_the_right_password(sandbox, mechanism):
    with smtplib.SMTP("127.0.0.1", sandbox.ports.smtp, timeout=5) as client:
        client.ehlo()
        client.user, client.password = "sandbox", "sandbox"
        code, _ = client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))
    assert code == 235


@pytest.mark.parametrize("login", [("sandbox", "wrong"), ("wrong", "sandbox"), ("沙箱", "密码")])
def test_it_rejects_a_wrong_login(sandbox, login):
    client = Raw(sandbox)
    secret = base64.b64encode("\0".join(["", *login]).encode()).decode()
    client.say("EHLO me", f"AUTH PLAIN {secret}", "QUIT")
    assert client.replies(4) == ["220", "250", "535", "221"]
    client.close()


def test_it_rejects_mail_before_a_login(sandbox):
    with (
        smtplib.SMTP("127.0.0.1", sandbox.ports.smtp, timeout=5) as client,
        pytest.raises(smtplib.SMTPSenderRefused) as error,
    ):
        send(client, "li@example.cn")
    assert error.value.smtp_code == 530
    assert sandbox.store.messages() == []


def test_it_keeps_the_message_byte_for_byte(sandbox, smtp):
    send(smtp, "li@example.cn")
    (kept,) = sandbox.store.messages()
    assert sandbox.store.raw(kept) == message("li@example.cn")
    assert (kept.mail_from, kept.rcpt_to, kept.user) == (SENDER, ("li@example.cn",), "sandbox")


def test_it_writes_the_envelope_as_a_line_of_json(sandbox, smtp):
    send(smtp, "li@example.cn")
    (line,) = (sandbox.store.folder / "envelopes.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert (
        record.items()
        >= {
            "file": "00000001.eml",
            "mail_from": SENDER,
            "rcpt_to": ["li@example.cn"],
        }.items()
    )
    assert (sandbox.store.folder / "messages" / record["file"]).is_file()


def test_one_message_to_many_is_kept_once(sandbox, smtp):
    smtp.sendmail(SENDER, ["a@x.test", "b@x.test", "refuse-c@x.test"], message())
    (kept,) = sandbox.store.messages()
    assert kept.rcpt_to == ("a@x.test", "b@x.test")


def test_it_limits_the_recipients_of_a_message(smtp, monkeypatch):
    monkeypatch.setattr(rules_module, "MAX_RECIPIENTS", 2)
    refused = smtp.sendmail(SENDER, [f"{n}@x.test" for n in range(3)], message())
    assert {address: code for address, (code, _) in refused.items()} == {"2@x.test": 452}


@pytest.mark.parametrize("address", ["refuse-li@example.cn", "REFUSE-li@other.test"])
def test_refuse_is_refused_at_rcpt(sandbox, smtp, address):
    with pytest.raises(smtplib.SMTPRecipientsRefused) as error:
        send(smtp, address)
    code, text = error.value.recipients[address]
    assert (code, text[:5]) == (550, b"5.1.1")
    assert sandbox.store.messages() == []


def test_a_prefix_without_its_hyphen_is_an_ordinary_address(sandbox, smtp):
    for address in ("refuse@x.test", "refused-li@x.test", "bouncer@x.test", "x-refuse-@x.test"):
        send(smtp, address)
    assert len(sandbox.store.messages()) == 4


def try_again(client: smtplib.SMTP, address: str, sender: str) -> int:
    client.rset()
    client.mail(sender)
    code, _ = client.rcpt(address)
    if code == 250:
        assert client.data(message(address))[0] == 250
    return code


def test_defer_is_accepted_at_the_second_try(sandbox, smtp):
    assert [try_again(smtp, "defer-li@x.test", SENDER) for _ in range(2)] == [451, 250]
    assert len(sandbox.store.messages()) == 1


def test_defer_defers_the_next_campaign_again(smtp):
    codes = [try_again(smtp, "defer-li@x.test", "hr@pay.example") for _ in range(4)]
    assert codes == [451, 250, 451, 250]


def test_two_deliveries_to_one_deferring_address_are_deferred_each(smtp):
    pairs = [SENDER, "bounce+18@sandbox.test", SENDER, "bounce+18@sandbox.test"]
    assert [try_again(smtp, "defer-li@x.test", s) for s in pairs] == [451, 451, 250, 250]


def test_a_retry_that_breaks_before_its_content_is_not_deferred_again(smtp):
    smtp.mail(SENDER)
    assert smtp.rcpt("defer-li@x.test")[0] == 451
    assert smtp.rcpt("defer-li@x.test")[0] == 250
    assert try_again(smtp, "defer-li@x.test", SENDER) == 250


def test_defer_is_remembered_over_connections(sandbox, smtp):
    assert try_again(smtp, "defer-li@x.test", SENDER) == 451
    with smtplib.SMTP("127.0.0.1", sandbox.ports.smtp, timeout=5) as other:
        other.login("sandbox", "sandbox")
        assert try_again(other, "defer-li@x.test", SENDER) == 250


def test_stall_takes_the_content_and_never_answers(sandbox, raw):
    raw.say(f"MAIL FROM:<{SENDER}>", "RCPT TO:<stall-li@x.test>", "DATA")
    assert raw.replies(3) == ["250", "250", "354"]
    raw.say("Subject: x", "", "text", ".")
    raw.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        raw.socket.recv(1)
    assert sandbox.store.messages() == []


def test_a_stalled_client_holds_nobody_up(sandbox, raw, smtp):
    raw.say(f"MAIL FROM:<{SENDER}>", "RCPT TO:<stall-li@x.test>", "DATA")
    raw.replies(3)
    raw.say("text", ".")
    send(smtp, "li@x.test")
    raw.close()
    send(smtp, "wang@x.test")
    assert len(sandbox.store.messages()) == 2


def test_it_answers_a_client_that_sends_ahead_in_order(sandbox, raw):
    envelope = (f"MAIL FROM:<{SENDER}>", "RCPT TO:<li@x.test>", "DATA")
    raw.say(*envelope)
    assert raw.replies(3) == ["250", "250", "354"]
    for _ in range(3):  # the next envelope goes with the final dot (RFC 2920)
        raw.say("Subject: x", "", "..dot", ".", *envelope)
        assert raw.replies(4) == ["250", "250", "250", "354"]
    raw.say("Subject: last", "", "x", ".", "QUIT")
    assert raw.replies(2) == ["250", "221"]
    kept = sandbox.store.messages()
    assert [sandbox.store.raw(m) for m in kept[:3]] == [b"Subject: x\r\n\r\n.dot\r\n"] * 3
    assert len(kept) == 4


def test_it_refuses_data_that_was_sent_ahead_of_a_refused_recipient(raw):
    raw.say(f"MAIL FROM:<{SENDER}>", "RCPT TO:<refuse-li@x.test>", "DATA", "RSET")
    assert raw.replies(4) == ["250", "550", "503", "250"]


def test_a_lone_dot_after_a_bare_line_feed_ends_nothing(sandbox, raw):
    raw.say(f"MAIL FROM:<{SENDER}>", "RCPT TO:<li@x.test>", "DATA")
    raw.replies(3)
    raw.socket.sendall(b"Subject: x\r\n\r\na\n.\nMAIL FROM:<evil@x.test>\r\n.\r\n")
    assert raw.reply()[:3] == "250"
    (kept,) = sandbox.store.messages()
    assert b"evil@x.test" in sandbox.store.raw(kept)


def test_it_understands_the_parameters_of_dsn(sandbox, smtp):
    options = ["RET=HDRS", "ENVID=Q17", "SIZE=300", "BODY=8BITMIME"]
    assert smtp.mail(SENDER, options)[0] == 250
    code, _ = smtp.rcpt("li@x.test", ["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;li@x.test"])
    assert code == 250
    assert smtp.data(message())[0] == 250


def test_it_rejects_parameters_that_it_does_not_know(smtp):
    assert smtp.mail(SENDER, ["WHAT=EVER"])[0] == 555


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"\xff\xfe\r\n", "500"),
        (b"NOOP " + b"x" * 5000 + b"\r\n", "500"),
        (b"WHAT\r\n", "500"),
        (b"MAIL FROM:<a@b@c\r\n", "250 553"),
        (b"RCPT TO:<li@x.test>\r\n", "503"),
        (b"MAIL FROM:\r\n", "501"),
        (b"MAIL\r\n", "501"),
        (b"MAIL FROM:<" + b"a" * 100 + b"\x00@x.test>\r\n", "250 553"),
        (b"AUTH PLAIN !!!\r\n", "503"),
    ],
)
def test_it_survives_nonsense(raw, line, code):
    raw.socket.sendall(line)
    assert raw.reply()[:3] in code.split()
    raw.say("RSET", "NOOP")
    assert raw.replies(2) == ["250", "250"]


@pytest.mark.parametrize(
    "address",
    [
        '"li fei"@x.test',
        "工资@例子.cn",
        "a" * 300 + "@x.test",
        "bounce-\xff@x.test",
        "away-é@x.test",
    ],
)
def test_it_takes_odd_addresses_without_failing(sandbox, raw, address):
    raw.say(f"MAIL FROM:<{SENDER}> SMTPUTF8", f"RCPT TO:<{address}>", "DATA", "x: y", "", ".")
    assert raw.replies(4)[1:] == ["250", "354", "250"]
    wanted = 2 if address.startswith(("bounce-", "away-")) else 1
    eventually(lambda: len(sandbox.store.messages()) == wanted)


def test_a_content_that_is_too_big_is_refused(sandbox, smtp, monkeypatch):
    size = smtp_module.MAX_MESSAGE_BYTES
    assert smtp.mail(SENDER, [f"SIZE={size + 1}"])[0] == 552
    assert smtp.esmtp_features["size"] == str(size)


def test_a_full_disk_is_a_temporary_refusal(sandbox, smtp, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sandbox.store, "add", full)
    with pytest.raises(smtplib.SMTPDataError) as error:
        send(smtp, "li@x.test")
    assert error.value.smtp_code == 452


def test_it_turns_away_more_connections_than_it_serves(sandbox, smtp, monkeypatch):
    monkeypatch.setattr(smtp_module, "MAX_CONNECTIONS", 1)
    with pytest.raises(smtplib.SMTPConnectError) as error:
        smtplib.SMTP("127.0.0.1", sandbox.ports.smtp, timeout=5)
    assert error.value.smtp_code == 421
    send(smtp, "li@x.test")


def test_it_takes_hundreds_of_messages_in_a_few_seconds(sandbox, smtp):
    begin = time.monotonic()
    for number in range(300):
        send(smtp, f"p{number}@x.test")
    assert len(sandbox.store.messages()) == 300
    assert time.monotonic() - begin < 5
