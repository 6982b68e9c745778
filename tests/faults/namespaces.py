"""Two network namespaces, each on a cable of its own to this one: two hosts on one machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Host:
    """`prefix`: what a command has to be begun with to run there. `gateway`: this side's address."""

    name: str
    gateway: str
    prefix: tuple[str, ...]


@cache
def are_permitted() -> bool:
    """Whether this process may make them: it needs iproute2 and the right to administer networks."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        return False
    name = f"hy-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return made.returncode == 0


@contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """They and their cables are gone afterwards."""
    made: list[Host] = []
    try:
        for number in range(count):
            made.append(_host(number))
        yield made
    finally:
        for host in made:
            _ip("netns", "del", host.name)


def _host(number: int) -> Host:
    tag = f"{os.getpid() % 10_000}{number}"
    name, near, far = f"hy-{tag}", f"hyn{tag}", f"hyf{tag}"
    # Of the addresses that are kept for tests of networks (RFC 2544).
    net = f"198.18.{os.getpid() % 250}"
    gateway, address = f"{net}.{4 * number + 1}", f"{net}.{4 * number + 2}"
    _ip("netns", "add", name)
    _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
    _ip("addr", "add", f"{gateway}/30", "dev", near)
    _ip("link", "set", near, "up")
    for what in (
        ("addr", "add", f"{address}/30", "dev", far),
        ("link", "set", far, "up"),
        ("link", "set", "lo", "up"),
    ):
        _ip("-n", name, *what)
    return Host(name, gateway, ("ip", "netns", "exec", name))


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
