"""ReDoS (ASVS 1.3.12, 15.2.2): no pattern of ours takes long on a long text that somebody sent."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import time
from collections.abc import Iterator

import pytest

import accounts
import campaigns
import config

LENGTH = 100_000
# Seconds; the limit of the plan is 0.1 on a machine of its own, and this one is shared.
LONGEST = 0.3
PIECES = [
    *("<!--", "<style ", "<textarea>", '<a "', "<td"),
    *("a", " ", "<", "\n", "\t", "=", "-", "@", ".", "0", "鸿", "(", "\\", '"', ":", "{", "%"),
    *(
        "a@",
        "a.",
        "a ",
        "<a",
        "=\n",
        " \n",
        "0.",
        "a-",
        '"a',
        "{{",
        "550 ",
        "x: ",
        "=?",
        "a,",
        "5.1",
    ),
]


# Used on texts that were cut before, to so many characters.
BOUNDED = {
    "campaigns.workbooks.words._BREAK": 500,
    "campaigns.workbooks.amounts._SHOWN": 40 * 18,  # 40, as long as compatibility forms make them
}


def patterns() -> Iterator[tuple[str, re.Pattern[str] | re.Pattern[bytes]]]:
    """Every pattern that stands in a module, alone or inside of a list, tuple or dict."""
    seen: set[int] = set()
    for package in (accounts, campaigns, config):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" in found.name or found.name.endswith("__main__"):
                continue
            module = importlib.import_module(found.name)
            for name, thing in vars(module).items():
                for pattern in _inside(thing):
                    if id(pattern) not in seen:
                        seen.add(id(pattern))
                        yield f"{found.name}.{name}: {pattern.pattern[:60]!r}", pattern


def _inside(thing: object) -> Iterator[re.Pattern[str] | re.Pattern[bytes]]:
    if isinstance(thing, re.Pattern):
        yield thing
    elif isinstance(thing, dict):
        for value in thing.values():
            yield from _inside(value)
    elif type(thing) in (list, tuple, set, frozenset):
        for value in thing:  # type: ignore[attr-defined]
            yield from _inside(value)


PATTERNS = dict(patterns())


def test_the_walk_finds_them() -> None:
    assert len(PATTERNS) > 60


@pytest.mark.parametrize("name", PATTERNS)
def test_it_is_done_with_a_long_text_in_time(name: str) -> None:
    pattern = PATTERNS[name]
    # As its module uses it: what is anchored by match() is not searched for at every place.
    module, _dot, variable = name.partition(":")[0].rpartition(".")
    source = inspect.getsource(importlib.import_module(module))
    called = set(re.findall(rf"\b{variable}\.(\w+)\(", source)) or {"match"}
    anchored = called <= {"match", "fullmatch"}
    uses = [getattr(pattern, use) for use in called if anchored] or [
        lambda text: sum(1 for _ in pattern.finditer(text))
    ]
    length = BOUNDED.get(name.partition(":")[0], LENGTH)
    for piece in PIECES:
        text = (piece * (length // len(piece)))[:length] + "!"
        subject = text.encode() if isinstance(pattern.pattern, bytes) else text
        begun = time.process_time()
        for use in uses:
            use(subject)
        taken = time.process_time() - begun
        assert taken < LONGEST, (piece, taken)
