"""The pages' foundation: nothing inline (CSP), every word marked for translation, vendored files as recorded."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from django import forms
from django.template import Context, Template
from django.template.loader import get_template
from django.test import RequestFactory

from campaigns.templatetags import interface
from campaigns.templatetags.states import KINDS
from campaigns.views.gallery import sample_context

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
VENDOR = ROOT / "static" / "vendor"
FRONT_END = sorted((ROOT / "static" / "hongyan").glob("*.js"))

HAN = re.compile(r"[\u3400-\u9fff]")
INLINE = {
    "inline script": re.compile(r"<script(?![^>]*\bsrc=)", re.I),
    "inline style": re.compile(r"<style\b|\sstyle\s*=", re.I),
    "event handler": re.compile(r"\son[a-z]+\s*=|\bhx-on\b", re.I),
    "javascript address": re.compile(r"javascript\s*:|[\"']js:", re.I),
    "style binding": re.compile(r"\s(?:x-bind)?:style\s*=", re.I),
}
COMMENT = re.compile(r"{#.*?#}|{% comment %}.*?{% endcomment %}", re.S)
# Marked text: {% translate "…" %}, {% blocktranslate %}…{% endblocktranslate %} and _("…") in a tag.
MARKED = re.compile(
    r"{% (?:translate|trans) .*?%}|{% blocktranslate\b.*?{% endblocktranslate %}|_\((\"[^\"]*\"|'[^']*')\)",
    re.S,
)


def _source(path: Path) -> str:
    return COMMENT.sub("", path.read_text(encoding="utf-8"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _render(source: str, **context: object) -> str:
    return Template("{% load i18n interface %}" + source).render(Context(context))


def _inline_faults(html: str) -> list[str]:
    return [kind for kind, pattern in INLINE.items() if pattern.search(html)]


@pytest.mark.parametrize("path", TEMPLATES, ids=_name)
def test_a_template_has_nothing_that_the_content_security_policy_forbids(path: Path) -> None:
    assert _inline_faults(_source(path)) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=_name)
def test_every_chinese_word_of_a_template_is_marked_for_translation(path: Path) -> None:
    unmarked = MARKED.sub("", _source(path))
    assert [line.strip() for line in unmarked.splitlines() if HAN.search(line)] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=_name)
def test_a_template_compiles(path: Path) -> None:
    assert get_template(path.relative_to(ROOT / "templates").as_posix())


def test_the_scan_sees_what_it_forbids() -> None:
    bad = "<script>1</script><p style='x' onclick='y'><a href='javascript:z'>"
    assert len(_inline_faults(bad)) == 4
    assert HAN.search(MARKED.sub("", '<p>漏掉</p>{% translate "好" %}'))


@pytest.mark.parametrize("path", FRONT_END, ids=_name)
def test_scripts_neither_evaluate_text_nor_write_html(path: Path) -> None:
    found = re.findall(
        r"\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write", path.read_text()
    )
    assert found == []


def test_vendored_files_are_the_recorded_ones() -> None:
    _, hashes = (VENDOR / "VERSIONS").read_text().split("\n\n", 1)
    recorded = dict(reversed(line.split("  ")) for line in hashes.splitlines())
    present = {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "VERSIONS"
    }
    assert present == recorded


def test_recorded_versions_are_those_of_package_json() -> None:
    versions, _ = (VENDOR / "VERSIONS").read_text().split("\n\n", 1)
    wanted = re.findall(r'"([^"]+)": "(\d[\d.]*)"', (ROOT / "package.json").read_text())
    assert set(map(tuple, map(str.split, versions.splitlines()))) == set(wanted) - {
        ("version", "0.0.0")
    }


def test_vendored_files_are_small_and_name_no_source_map() -> None:
    files = [path for path in VENDOR.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 2_000_000
    assert [path.name for path in files if b"sourceMappingURL" in path.read_bytes()] == []


def test_every_icon_that_is_used_is_in_the_sprite() -> None:
    symbols = set(re.findall(r'<symbol id="([^"]+)"', (VENDOR / "icons/sprite.svg").read_text()))
    used = {state.icon for states in KINDS.values() for state in states.values()}
    for path in TEMPLATES:
        text = path.read_text(encoding="utf-8")
        used |= set(re.findall(r"{% icon [\"']([^\"']+)[\"']", text))
        used |= set(re.findall(r"(?:action_|submit_)?icon=[\"']([^\"']+)[\"']", text))
        used |= set(re.findall(r"icon\|default:[\"']([^\"']+)[\"']", text))
    assert used - symbols == set()


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_has_a_word_a_meaning_and_a_colour(kind: str) -> None:
    css = (ROOT / "static/hongyan/app.css").read_text()
    for code, state in KINDS[kind].items():
        html = _render("{% state code kind %}", code=code, kind=kind)
        assert str(state.label) in html
        assert str(state.meaning) in html
        assert f".badge.state.state-{state.css} {{" in css or state.css == "queued"


def test_an_unknown_state_shows_its_code_escaped() -> None:
    assert "&lt;b&gt;" in _render("{% state code %}", code="<b>")


def test_shares_fill_the_bar_exactly_and_never_round_up_to_done() -> None:
    context = interface.shares({"accepted": 999, "queued": 1})
    assert context["percent"] == 99
    last = context["parts"][-1]
    assert float(last["x"]) + float(last["width"]) == pytest.approx(1000, abs=0.02)


def test_shares_of_nothing_draw_an_empty_bar() -> None:
    context = interface.shares({})
    assert (context["parts"], context["percent"]) == ([], 0)


def test_shares_draw_nothing_where_a_count_is_a_moment_behind() -> None:
    context = interface.shares({"accepted": 31, "sending": -1}, total=30)
    assert [part["code"] for part in context["parts"]] == ["accepted"]
    assert context["parts"][0]["width"] == "1000.00"


def test_shares_keep_room_for_rows_that_are_not_planned_yet() -> None:
    context = interface.shares({"accepted": 50}, total=200)
    assert (context["parts"][0]["width"], context["percent"]) == ("250.00", 25)


class _SecretForm(forms.Form):
    password = forms.CharField(label="授权码", widget=forms.PasswordInput, help_text="不是密码")


def test_a_stored_secret_is_announced_and_never_shown() -> None:
    form = _SecretForm(initial={"password": "hunter2-canary"})
    html = _render("{% field form.password stored=True %}", form=form)
    assert "hunter2-canary" not in html
    assert "已保存" in html


def test_a_field_ties_its_help_and_errors_to_the_control() -> None:
    html = _render("{% field form.password %}", form=_SecretForm({}))
    described = re.search(r'aria-describedby="([^"]+)"', html)
    assert described
    for name in described[1].split():
        assert f'id="{name}"' in html
    assert "is-invalid" in html


def test_a_live_region_polls_while_active_and_stops_after() -> None:
    html = _render("{% live url %}", url="/x?a=1&b=2")
    assert 'hx-trigger="every 2s' in html
    assert 'hx-get="/x?a=1&amp;b=2"' in html
    assert _render('{% live "/x" active=False %}') == ""


def test_chart_data_cannot_leave_its_script_element() -> None:
    data = {"labels": ["</script><script>alert(1)</script>"], "series": []}
    html = _render('{% chart "c" "bar" data %}', data=data)
    assert html.count("<script") == 1
    assert 'type="application/json"' in html


def test_the_error_page_needs_no_context_at_all() -> None:
    html = get_template("500.html").render()
    assert "出错了" in html
    assert (ROOT / "static/hongyan/error.css").is_file()


def test_the_gallery_renders_every_component_without_anything_inline() -> None:
    request = RequestFactory().get("/gallery/")
    request.user = SimpleNamespace(name="", email="wang@corp.example")
    html = get_template("components/gallery.html").render(sample_context(), request)
    data_blocks = re.compile(r'<script id="\w+" type="application/json">.*?</script>')
    assert _inline_faults(data_blocks.sub("", html)) == []
    assert html.count('class="problem-error"') == 1
