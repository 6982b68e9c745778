"""A relay far away: one connection over a line with 20 and with 100 ms of round trip."""

from __future__ import annotations

import smtplib
import time

from campaigns.models import Attempt
from campaigns.pipeline import send
from tests.benchmarks import scene
from tests.benchmarks.ground import Ground
from tests.benchmarks.tables import Findings
from tests.fakes.slow_line import SlowLine

CONTENT = b"Subject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * 130  # 10 kB
# Round trip in seconds → messages by smtplib and by us, some seconds' worth of each.
SIZES = {0.02: (30, 200), 0.1: (12, 60)}


def smtplib_rate(port: int, messages: int) -> float:
    """Messages a second over one kept connection of the stdlib's client."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost") as client:
        client.sendmail("a@example.com", ["b@example.com"], CONTENT)
        started = time.perf_counter()
        for _ in range(messages):
            client.sendmail("a@example.com", ["b@example.com"], CONTENT)
        return messages / (time.perf_counter() - started)


def our_rate(ground: Ground, port: int, messages: int) -> float:
    """Messages a second from the first final reply to the last, each with its outcome committed."""
    ground.clear()
    campaign = scene.launched(scene.a_campaign(messages, port, algorithm="rsa"))
    while send.send_batch(campaign.relay_id, "benchmark"):
        pass
    ended = list(Attempt.objects.order_by("ended_at").values_list("ended_at", flat=True))
    assert len(ended) == messages
    return (messages - 1) / (ended[-1] - ended[0]).total_seconds()


def measure(ground: Ground) -> Findings:
    """Signed messages a second over one connection, against smtplib on the same line."""
    found = Findings()
    rows: list[list[str | float]] = []
    for round_trip, (theirs, ours) in SIZES.items():
        line = SlowLine(ground.sink.port, round_trip)
        try:
            reference = smtplib_rate(line.port, theirs)
            rate = our_rate(ground, line.port, ours)
        finally:
            line.stop()
        milliseconds = round(round_trip * 1000)
        ratio = rate / reference
        found.figures[f"rtt{milliseconds}_vs_smtplib"] = round(ratio, 2)
        rows.append([f"{milliseconds} ms", reference, rate, ratio, 1 / rate / round_trip])
    found.table(
        "One connection over a slow line, messages/s",
        ["round trip", "smtplib", "Hongyan", "ratio", "round trips a message"],
        rows,
    )
    return found
