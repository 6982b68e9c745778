"""The tree itself: no package hosts, no secrets, no overlong files, no test that asserts nothing."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAXIMUM_LINES = 400
LEFT_OUT = {".git", ".venv", "var", "staticfiles", "node_modules", "__pycache__"}

# A file that is longer, and why. Migrations and what scripts bring (vendor/) may be any length.
LONGER: dict[str, str] = {
    "campaigns/workbooks/numfmt.js": "a library, bundled by a script",
    "requirements.txt": "generated",
    "requirements-dev.txt": "generated",
    "package-lock.json": "generated",
}
# Test files whose tests are checked elsewhere, and where.
WITHOUT_ASSERT: dict[str, str] = {}
# Where a private key may lie in clear, and why.
KEYS_FOR_TESTS: dict[str, str] = {}

# Written in pieces, so that this file names none. The last catches a mirror, whatever its name.
PACKAGE_HOSTS = re.compile(
    r"py[p]i\.org|python[h]osted\.org|npm[j]s\.(org|com)|yarn[p]kg\.com|proxy\.gola[n]g\.org"
    r"|crat[e]s\.io|rubyg[e]ms\.org|npm[m]irror\.com|https?://\S+/(simple|artifactory)(/|\b)"
    r"|^\s*--?(extra-)?(i|index-url|find-links)[ =]\S*//|\"resolved\": *\"http"
)
SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*[A-Za-z0-9+/=]{16}|\bAKIA[0-9A-Z]{16}\b|\bghp_\w{36}\b"
    r"|\bxox[abp]-[\w-]{20,}|(?i:(?:secret_key|encryption_keys?|api_key|password))"
    r"\s*[:=]\s*[\"']?(?=[A-Za-z0-9+/_=-]{32})(?=\S*\d)[A-Za-z0-9+/_-]+={0,2}[\"']?\s*$",
    re.MULTILINE,
)


@cache
def tree() -> tuple[Path, ...]:
    """Every file that is or would be committed; without git (an unpacked archive) all that are here."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0:
        names = listing.stdout.decode("utf-8").split("\0")
        return tuple(ROOT / name for name in sorted(names) if name and (ROOT / name).is_file())
    return tuple(
        path
        for path in sorted(ROOT.rglob("*"))
        if path.is_file() and not LEFT_OUT & set(path.relative_to(ROOT).parts)
    )


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def texts() -> Iterator[tuple[str, str]]:
    """Name and content of every file that is text."""
    for path in tree():
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            yield name_of(path), content.decode("utf-8", errors="replace")


def is_vendored(name: str) -> bool:
    return "/vendor/" in name or "/migrations/" in name or name.startswith("tests/corpus/")


def found_in(text: str, pattern: re.Pattern[str]) -> list[str]:
    return [match.group() for match in pattern.finditer(text)]


def test_no_file_names_a_package_host() -> None:
    named = {name: found for name, text in texts() if (found := found_in(text, PACKAGE_HOSTS))}
    assert named == {}


def test_no_file_holds_a_secret() -> None:
    held = {
        name: len(found)
        for name, text in texts()
        if name not in KEYS_FOR_TESTS and (found := found_in(text, SECRETS))
    }
    assert held == {}


@pytest.mark.parametrize(
    "text",
    [
        "index-url = https://py" + "pi.org/simple",
        "--index-url https://mirror.example/root/",
        "see https://mirror.example/py/" + "simple/django/",
        '"resolved": ' + '"https://registry.example/tabler.tgz"',
    ],
)
def test_it_recognises_a_package_host(text: str) -> None:
    assert found_in(text, PACKAGE_HOSTS)


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEowIBAAKCAQEAw5x2",
        "SECRET_KEY=" + "k3Jd82nfLq0s" * 4,
        "HONGYAN_ENCRYPTION_KEYS: '" + "aZ3_" * 10 + "xyz='",
        "AKIA" + "ABCDEFGHIJKLMNOP",
    ],
)
def test_it_recognises_a_secret(text: str) -> None:
    assert found_in(text, SECRETS)


@pytest.mark.parametrize(
    "text",
    [
        "SECRET_KEY=",
        "password: ${POSTGRES_PASSWORD:?set it in .env}",
        'SECRET_KEY = environment.text("SECRET_KEY")',
        '"-----BEGIN PRIVATE KEY-----" in pem',
    ],
)
def test_it_takes_no_reference_for_a_secret(text: str) -> None:
    assert found_in(text, SECRETS) == []


def test_no_file_is_too_long_to_read_at_once() -> None:
    lines = {name: text.count("\n") for name, text in texts() if name.endswith((".py", ".js"))}
    long = {
        name: number
        for name, number in lines.items()
        if number > MAXIMUM_LINES and name not in LONGER and not is_vendored(name)
    }
    assert long == {}, "split it by concept, or say in LONGER why not"


def test_every_exception_is_still_one() -> None:
    names = {name_of(path) for path in tree()}
    gone = (LONGER.keys() | WITHOUT_ASSERT.keys() | KEYS_FOR_TESTS.keys()) - names
    assert gone == set()


def asserts_something(source: str) -> bool:
    """An assert statement, pytest.raises or warns, or a call of something named assert…, expect…"""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            if called in {"raises", "warns"} or called.startswith(("assert", "expect", "to_")):
                return True
    return False


def test_every_file_of_tests_asserts_something() -> None:
    """By the file: that a call does not raise is a fine test too, but never all of them."""
    idle = [
        name
        for name, text in texts()
        if re.fullmatch(r"tests/(.*/)?test_\w+\.py", name)
        and name not in WITHOUT_ASSERT
        and not asserts_something(text)
    ]
    assert idle == []


def test_it_finds_a_file_that_cannot_fail() -> None:
    assert not asserts_something("def test_it():\n    print(1)\n")
    assert asserts_something("def test_it():\n    with pytest.raises(OSError):\n        f()\n")


def test_the_licence_is_here() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0" in text
