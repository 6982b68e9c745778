"""The scripted relay as a program, and its rules: what other tests stand on."""

from __future__ import annotations

import base64
import json
import smtplib
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes.relay_script import Drip, Rule, Say, Script, Stall
from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay

LETTER = "Message-ID: <7@example.cn>\r\nSubject: x\r\n\r\n.dot\r\n"


def test_as_a_program_it_serves_logs_each_message_and_ends_on_a_signal(tmp_path: Path) -> None:
    log = tmp_path / "accepted.jsonl"
    rule = json.dumps({"phase": "rcpt", "recipient": "gone@*", "say": "550 5.1.1 no such user"})
    command = [sys.executable, "-m", "tests.fakes.scripted_relay", "--log", str(log)]
    process = subprocess.Popen(
        [*command, "--rule", rule, "--account", "hr:secret"], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
            client.login("hr", "secret")
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("a@example.cn", ["gone@example.cn"], LETTER)
            client.sendmail("a@example.cn", ["b@example.cn"], LETTER)
        process.terminate()
    assert process.returncode == 0
    (record,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert record["rcpt_to"] == ["b@example.cn"]
    assert record["message_id"] == "<7@example.cn>"
    assert base64.b64decode(record["content"]) == LETTER.encode()
    assert record["started"] <= record["ended"] <= time.time()


def test_a_rule_acts_on_the_tries_it_names_of_each_recipient() -> None:
    script = Script([Rule("rcpt", Say("451 later"), "d*", first=2, skip=1)])
    tries = [script.at("rcpt", "d@x.cn") is not None for _ in range(5)]
    assert tries == [False, True, True, False, False]
    assert script.at("rcpt", "D2@x.cn") is None
    assert script.at("rcpt", "D2@x.cn") is not None
    assert script.at("rcpt", "other@x.cn") is None
    assert script.at("mail", "d@x.cn") is None


def test_rules_come_from_json() -> None:
    assert Rule.from_json({"phase": "dot", "stall": 3}) == Rule("dot", Stall(3))
    drip = {"phase": "ehlo", "drip": {"text": "250", "every": 1}, "first": 1}
    assert Rule.from_json(drip) == Rule("ehlo", Drip(b"250", 1.0), first=1)
    with pytest.raises(ValueError, match="phase"):
        Script([Rule("lunch", Say("250"))])


def test_a_slow_line_delays_by_the_round_trip_it_names() -> None:
    with (
        ScriptedRelay(RelayOptions(round_trip=0.05)) as relay,
        smtplib.SMTP("127.0.0.1", relay.port, timeout=5) as client,
    ):
        started = time.monotonic()
        for _ in range(3):
            client.noop()
        assert 0.15 <= time.monotonic() - started < 0.4
