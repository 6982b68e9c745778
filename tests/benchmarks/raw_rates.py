"""The limits of this machine: what OpenSSL signs on one core, what smtp-sink takes from smtp-source."""

from __future__ import annotations

import time
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa, utils

from tests.benchmarks.ground import Ground
from tests.benchmarks.tables import Findings
from tests.servers.smtp_sink import smtp_source

DIGEST = bytes(range(32))


def rsa_rate(seconds: float = 1.0) -> tuple[float, float]:
    """RSA-2048 signatures of a digest on one core: in a second, and in a second of CPU.

    They differ where others use the machine too.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    prehashed = utils.Prehashed(hashes.SHA256())
    return _rate(lambda: key.sign(DIGEST, padding.PKCS1v15(), prehashed), seconds)


def ed25519_rate(seconds: float = 1.0) -> tuple[float, float]:
    """The same with Ed25519."""
    key = ed25519.Ed25519PrivateKey.generate()
    return _rate(lambda: key.sign(DIGEST), seconds)


def _rate(operation: Callable[[], object], seconds: float) -> tuple[float, float]:
    done, started, cpu = 0, time.perf_counter(), time.thread_time()
    while time.perf_counter() - started < seconds:
        for _ in range(20):
            operation()
        done += 20
    return done / (time.perf_counter() - started), done / (time.thread_time() - cpu)


def measure(ground: Ground) -> Findings:
    """Raw RSA-2048 and Ed25519 on one core; smtp-source over 1, 2 and 10 connections into the sink."""
    found = Findings()
    rsa_rates, ed25519_rates = rsa_rate(), ed25519_rate()
    rates = {"raw_rsa_per_second": rsa_rates[0], "raw_ed25519_per_second": ed25519_rates[0]}
    rows: list[list[str | float]] = [
        ["RSA-2048, one core", *rsa_rates],
        ["Ed25519, one core", *ed25519_rates],
    ]
    for sessions in (1, 2, 10):
        messages = 10_000
        seconds = smtp_source(ground.sink.port, messages=messages, sessions=sessions, size=10_000)
        rates[f"smtp_source_{sessions}_per_second"] = messages / seconds
        rows.append([f"smtp-source, 10 kB, {sessions} connections", messages / seconds, ""])
    found.figures |= {name: round(rate, 1) for name, rate in rates.items()}
    found.table("The limits of this machine", ["", "a second", "a CPU second"], rows)
    return found
