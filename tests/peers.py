"""Programs that only a distribution has. A test asks by `need()`; what is missing is counted and named.

In `.ci/run` nothing may be missing: HONGYAN_REQUIRE_PEERS=1 makes any skipped test fail the run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.process import with_system_path

REASON = "peer: "
REMEDY = "make peers"


@dataclass(frozen=True)
class Peer:
    """A Debian package and the file or Perl module by which we know that it is there."""

    package: str
    program: str = ""
    perl_module: str = ""
    only_root: bool = False


PEERS = {
    peer.package: peer
    for peer in (
        Peer("chromium", "chromium"),
        Peer("dovecot-pop3d", "/usr/lib/dovecot/pop3"),
        Peer("dovecot-imapd", "/usr/lib/dovecot/imap"),
        Peer("postfix", "postfix", only_root=True),
        Peer("libmail-dkim-perl", perl_module="Mail::DKIM::Verifier"),
        Peer("gettext", "msgfmt"),
        Peer("spamc", "spamc"),
        Peer("spamd", "/usr/sbin/spamd"),
    )
}


def missing(package: str) -> str | None:
    """Why this peer cannot be used here, or None where it can. An unknown name is a KeyError."""
    peer = PEERS[package]
    if peer.program and not shutil.which(peer.program, path=with_system_path()["PATH"]):
        return package
    if peer.perl_module and not _perl_has(peer.perl_module):
        return package
    if peer.only_root and os.geteuid() != 0:
        return f"{package} (runs as root alone)"
    return None


def _perl_has(module: str) -> bool:
    perl = shutil.which("perl")
    if perl is None:
        return False
    return (
        subprocess.run([perl, f"-M{module}", "-e1"], capture_output=True, check=False).returncode
        == 0
    )


def need(package: str) -> None:
    """Skips the test that called unless the peer is here; in a fixture it skips each of its users."""
    reason = missing(package)
    if reason is not None:
        pytest.skip(REASON + reason)


def program(package: str) -> Path:
    """The peer's program; skips the test where it is missing."""
    need(package)
    found = shutil.which(PEERS[package].program, path=with_system_path()["PATH"])
    assert found is not None
    return Path(found)


def tally(reasons: Iterable[str]) -> Counter[str]:
    """How many skips each reason has: the peer's name, or the reason as it is for any other skip."""
    return Counter(reason.removeprefix("Skipped: ").removeprefix(REASON) for reason in reasons)


def sentence(counts: Counter[str], *, peers_required: bool) -> str:
    """The closing line about what did not run; empty if all did."""
    if not counts:
        return ""
    total = counts.total()
    causes = ", ".join(f"{name} ({number})" for name, number in sorted(counts.items()))
    plural = "test" if total == 1 else "tests"
    verdict = " This run must skip nothing, so it FAILED." if peers_required else ""
    return f"{total} {plural} could not run for want of: {causes}. `{REMEDY}` brings the peers.{verdict}"


def are_required() -> bool:
    return os.environ.get("HONGYAN_REQUIRE_PEERS", "") == "1"
