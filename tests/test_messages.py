"""Every sentence has its English: in the catalogue, complete, with its placeholders, and compiled."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from django.utils.translation.template import templatize

ROOT = Path(__file__).parents[1]
CATALOGUE = ROOT / "locale/en/LC_MESSAGES/django.po"
RENEW = "run `make messages` and write the English into locale/en/LC_MESSAGES/django.po"
MARKERS = {"_", "_now", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
WITH_CONTEXT = {"pgettext", "pgettext_lazy"}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w+\}")
HAN = re.compile(r"[\u3400-\u9fff]")
# Where a Chinese word stands in the English on purpose: what a provider's page is labelled with.
QUOTED = re.compile(r"\([^)]*\)|“[^”]*”|\"[^\"]*\"")


@dataclass
class Entry:
    """One sentence of the catalogue; `context` is msgctxt."""

    context: str = ""
    msgid: str = ""
    plural: str = ""
    texts: list[str] = field(default_factory=list)
    fuzzy: bool = False


@cache
def catalogue() -> tuple[Entry, ...]:
    """The .po file's entries; the header's msgid is empty."""
    blocks = CATALOGUE.read_text(encoding="utf-8").split("\n\n")
    return tuple(parsed(block) for block in blocks if re.search(r"^msgid", block, re.MULTILINE))


def parsed(block: str) -> Entry:
    entry, target = Entry(fuzzy="#, fuzzy" in block), ""
    for line in block.splitlines():
        if line.startswith("#"):
            continue
        keyword, _, quoted = line.partition('"')
        target = keyword.strip() or target
        text = ast.literal_eval('"' + quoted)
        if target == "msgid":
            entry.msgid += text
        elif target == "msgid_plural":
            entry.plural += text
        elif target == "msgctxt":
            entry.context += text
        else:
            number = int(target[7:-1]) if "[" in target else 0
            entry.texts += [""] * (number + 1 - len(entry.texts))
            entry.texts[number] += text
    return entry


def sentences() -> list[Entry]:
    return [entry for entry in catalogue() if entry.msgid]


def marked_in_python(source: str) -> Iterator[tuple[str, str]]:
    """Context and sentence of every call of a marker."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        words = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
        if name in MARKERS and words and isinstance(words[0], str):
            yield "", words[0]
        elif name in WITH_CONTEXT:
            yield words[0], words[1]


def marked_in_template(source: str) -> Iterator[tuple[str, str]]:
    """By Django's own reading of templates, which `makemessages` hands to xgettext too."""
    text = r"u?(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    calls = re.compile(rf"\b(?:n?gettext|_)\({text}|\bpgettext\({text}, {text}")
    for found in calls.finditer(templatize(source)):
        plain, context, sentence = found.groups()
        yield ast.literal_eval(context or '""'), ast.literal_eval(plain or sentence)


def test_every_marked_sentence_is_in_the_catalogue() -> None:
    known = {(entry.context, entry.msgid) for entry in sentences()}
    missing = {}
    for folder in ("accounts", "campaigns", "config"):
        for path in (ROOT / folder).rglob("*.py"):
            found = set(marked_in_python(path.read_text(encoding="utf-8"))) - known
            missing |= {str(path.relative_to(ROOT)): found} if found else {}
    for path in (ROOT / "templates").rglob("*.*"):
        found = set(marked_in_template(path.read_text(encoding="utf-8"))) - known
        missing |= {str(path.relative_to(ROOT)): found} if found else {}
    assert missing == {}, RENEW


def test_every_sentence_has_its_english() -> None:
    lacking = [e.msgid for e in sentences() if e.fuzzy or not e.texts or not all(e.texts)]
    assert lacking == [], RENEW


def test_no_placeholder_is_lost_or_invented() -> None:
    wrong = [
        (entry.msgid, text)
        for entry in sentences()
        for text in filter(None, entry.texts)
        if sorted(set(PLACEHOLDER.findall(text)))
        != sorted(set(PLACEHOLDER.findall(entry.plural or entry.msgid)))
    ]
    assert wrong == []


def test_the_english_is_english() -> None:
    mixed = [
        (entry.msgid, text)
        for entry in sentences()
        for text in entry.texts
        if HAN.search(QUOTED.sub("", text)) and entry.msgid not in {"简体中文", "鸿雁"}
    ]
    assert mixed == []


def test_the_english_quotes_as_in_print() -> None:
    """A straight quotation mark would end the attribute of a page that the sentence stands in."""
    straight = [
        text
        for entry in sentences()
        for text in entry.texts
        if '"' in re.sub(r'<a href="[^"]*">', "", text)
    ]
    assert straight == []


def test_what_begins_or_ends_with_a_blank_or_a_line_keeps_it() -> None:
    wrong = [
        entry.msgid
        for entry in sentences()
        for text in filter(None, entry.texts)
        if text.startswith("\n") != entry.msgid.startswith("\n")
        or text.endswith("\n") != entry.msgid.endswith("\n")
    ]
    assert wrong == []


def said(compiled: gettext.GNUTranslations, entry: Entry) -> str:
    if entry.plural:
        return compiled.ngettext(entry.msgid, entry.plural, 1)
    if entry.context:
        return compiled.pgettext(entry.context, entry.msgid)
    return compiled.gettext(entry.msgid)


def test_the_compiled_catalogue_says_the_same() -> None:
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    stale = [
        entry.msgid
        for entry in sentences()
        if all(entry.texts) and said(compiled, entry) != entry.texts[0]
    ]
    assert stale == [], RENEW


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('{% load i18n %}{% translate "投递" %}', [("", "投递")]),
        ('{% load i18n %}{% translate "模板" context "menu" as x %}', [("menu", "模板")]),
        ('{% load i18n %}{% include "x" with a=_("甲") %}', [("", "甲")]),
        (
            "{% load i18n %}{% blocktranslate %}共 {{ n }} 封{% endblocktranslate %}",
            [("", "共 %(n)s 封")],
        ),
    ],
)
def test_it_reads_templates(source: str, found: list[str]) -> None:
    assert list(marked_in_template(source)) == found


def test_it_reads_python() -> None:
    source = '_("甲")\nx = gettext_lazy("乙" "丙")\nf("丁")\npgettext_lazy("menu", "戊")'
    assert list(marked_in_python(source)) == [("", "甲"), ("", "乙丙"), ("menu", "戊")]


def test_it_reads_the_catalogues_syntax() -> None:
    entry = parsed(
        '#, fuzzy\nmsgid ""\n"一\\n"\n"二"\nmsgid_plural "多"\nmsgstr[0] "a"\nmsgstr[1] "b"'
    )
    assert entry == Entry("", "一\n二", "多", ["a", "b"], fuzzy=True)
