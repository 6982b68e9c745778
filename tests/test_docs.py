"""The documents are true: links resolve, pictures exist, settings are explained, commands are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands

from tests.test_tree import tree

ROOT = Path(__file__).parents[1]
DOCUMENTS = [path for path in tree() if path.suffix == ".md" and "corpus" not in path.parts]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```[\s\S]*?^```|`[^`\n]*`|^    .*$", re.MULTILINE)
IN_PAIRS = ["README", "docs/operations", "docs/user-guide"]
PICTURE_BYTES = 200_000


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def links(path: Path) -> Iterator[tuple[Path, str]]:
    """Each link within the project: the file that it leads to, and the anchor."""
    for target in LINK.findall(CODE.sub("", path.read_text(encoding="utf-8"))):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            yield (path.parent / file if file else path), anchor


def anchors(path: Path) -> set[str]:
    """Of the headings, as the hosts of repositories make them."""
    text = path.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(document: Path) -> None:
    broken = [
        f"{file}#{anchor}"
        for file, anchor in links(document)
        if not file.exists() or (anchor and anchor not in anchors(file))
    ]
    assert broken == []


def test_every_picture_is_shown_somewhere_and_is_small() -> None:
    shown = {file.resolve() for document in DOCUMENTS for file, _ in links(document)}
    pictures = [path for path in tree() if path.is_relative_to(ROOT / "docs/pictures")]
    assert pictures
    assert [name_of(path) for path in pictures if path not in shown] == []
    assert [name_of(path) for path in pictures if path.stat().st_size > PICTURE_BYTES] == []


@pytest.mark.parametrize("name", IN_PAIRS)
def test_both_languages_show_the_same_pictures_and_sections(name: str) -> None:
    english, chinese = (ROOT / f"{name}{ending}" for ending in (".md", ".zh.md"))
    pictures = [
        [file.name for file, _ in links(path) if file.suffix == ".png"]
        for path in (english, chinese)
    ]
    assert pictures[0] == pictures[1]
    levels = [
        re.findall(r"^(#+) ", path.read_text(encoding="utf-8"), re.MULTILINE)
        for path in (english, chinese)
    ]
    assert levels[0] == levels[1]


def settings_read() -> set[str]:
    text = (ROOT / "config/settings.py").read_text(encoding="utf-8")
    return set(re.findall(r'environment\.\w+\(\s*"(\w+)"', text))


def test_every_setting_is_explained_in_the_example() -> None:
    """A sentence above each, and nothing that no longer is one."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    explained = {
        found[1]: lines[number - 1]
        for number, line in enumerate(lines)
        if (found := re.match(r"(?:# )?([A-Z][A-Z_]+)=", line))
    }
    of_compose = set(re.findall(r"\$\{(\w+):", (ROOT / "docker-compose.yml").read_text("utf-8")))
    of_compose -= {"REDIS_DATA", "REDIS_PORT"}  # inside of a container
    assert explained.keys() == settings_read() | of_compose
    # The two passwords share a sentence.
    bare = {name for name, above in explained.items() if not above.startswith("#")}
    assert bare == {"REDIS_PASSWORD"}


@pytest.mark.parametrize("document", ["docs/operations.md", "docs/operations.zh.md"])
def test_every_setting_is_listed_for_the_operator(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    assert {name for name in settings_read() if not re.search(rf"\b{name}\b", text)} == set()


def test_the_example_holds_no_value_that_must_be_secret() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    for name in ("SECRET_KEY", "HONGYAN_ENCRYPTION_KEYS", "POSTGRES_PASSWORD", "REDIS_PASSWORD"):
        assert re.search(rf"^{name}=$", text, re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_command_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    asked = set(re.findall(r"manage\.py ([a-z]\w+)", text))
    assert asked - get_commands().keys() == set()
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"`make ([a-z]+)|^    make ([a-z]+)", text, re.MULTILINE))
    for target in filter(None, sum(targets, ())):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_file_that_is_named_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(
        r"`((?:accounts|campaigns|config|docs|scripts|templates|tests)/[\w./-]+)`", text
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs/adr").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
    for path in (ROOT / "docs/adr").glob("*.md"):
        text = path.read_text(encoding="utf-8")
        for part in ("**Context.**", "**Decision.**", "**Consequences.**"):
            assert part in text, path.name
