"""A template is checked as a whole, shows exactly the row's values, and can neither reach out nor grow."""

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.mailer.template import (
    Cell,
    Renderer,
    RenderError,
    TemplateFaults,
    TemplateSource,
    check,
    empty_fields,
    fields_used,
    reference,
)

FIELDS = {"姓名", "备注", "实发工资", "应发项目/基本工资", "部门 名称", "name"}


def template(html: str = "<p>您好</p>", subject: str = "工资条", text: str = "") -> TemplateSource:
    return TemplateSource(subject, html, text)


def kinds(source: TemplateSource, fields=FIELDS) -> list[str]:
    return [fault.kind for fault in check(source, fields)]


def rendered(html: str, values=None, rows=(), **extra: str):
    return Renderer(template(html)).render(values or {}, rows=rows, extra=extra)


class TestFields:
    def test_a_plain_name_and_any_other_by_row(self):
        html = '<p>{{ 姓名 }} {{ row["姓名"] }} {{ row["应发项目/基本工资"] }} {{ row.备注 }}</p>'
        values = {"姓名": "张三", "应发项目/基本工资": "8,000", "备注": "好"}
        assert "<p>张三 张三 8,000 好</p>" in rendered(html, values).html

    def test_all_that_are_used_are_found_in_every_part(self):
        source = template(
            '{% if 备注 %}{{ row["应发项目/基本工资"]|default("0") }}{% endif %}',
            "{{ 姓名 }}",
            "{{ row['b'] }}",
        )
        assert fields_used(source) == {"备注", "应发项目/基本工资", "姓名", "b"}

    def test_extra_names_cells_and_loop_variables_are_none(self):
        source = template(
            "{{ name }}{% for c in cells %}{{ c.label }}{{ loop.index }}{% endfor %}{{ unsubscribe_url }}"
        )
        assert fields_used(source) == set()

    def test_a_column_called_like_an_extra_name_is_reached_by_row(self):
        source = template('{{ row["name"] }}/{{ name }}')
        assert fields_used(source) == {"name"}
        assert (
            "column/张三"
            in Renderer(source).render({"name": "column"}, extra={"name": "张三"}).html
        )

    @pytest.mark.parametrize(
        "name", ["self", "template_name", "loop", "row", "in", "cells", "class"]
    )
    def test_a_column_called_like_a_word_of_the_engine_harms_nothing(self, name):
        assert "<p>v</p>" in rendered(f'<p>{{{{ row["{name}"] }}}}</p>', {name: "v"}).html

    @pytest.mark.parametrize(
        "name", ["姓名", "应发/基本", 'a"b', "a\\b", "1月", "a b", "or", "self"]
    )
    def test_the_written_reference_of_any_name_works(self, name):
        assert "v" in rendered("<p>" + reference(name) + "</p>", {name: "v"}).text

    def test_a_value_is_data_and_never_a_template(self):
        hostile = "{{ 7*7 }}{% raw %}{{ row }}"
        assert hostile in rendered("<p>{{ 姓名 }}</p>", {"姓名": hostile}).html

    def test_values_are_escaped_in_html_and_verbatim_elsewhere(self):
        source = template('<p title="{{ 姓名 }}">{{ 姓名 }}</p>', "{{ 姓名 }}", "{{ 姓名 }}")
        done = Renderer(source).render({"姓名": "<b>\"'&"})
        assert done.subject == "<b>\"'&"
        assert done.text == "<b>\"'&\n"
        assert '<p title="&lt;b&gt;&quot;&#x27;&amp;">&lt;b&gt;&quot;&#x27;&amp;</p>' in done.html

    def test_a_string_that_claims_to_be_safe_is_escaped_all_the_same(self):
        class Markup(str):
            def __html__(self) -> str:
                return self

        done = Renderer(template("<p>{{ 姓名 }}</p>")).render(
            {"姓名": Markup("<b>")}, rows=[Cell("a", Markup("<i>"))]
        )
        assert "<p>&lt;b&gt;</p>" in done.html


class TestEmptyFields:
    SOURCE = template(
        '{{ 姓名 }}{{ 备注|default("无") }}{{ a or "无" }}{{ b if b else "无" }}{% if c %}{{ c }}{% else %}{{ d }}{% endif %}'
        '{% if e %}{% endif %}{{ row["应发项目/基本工资"] }}'
    )

    def test_it_names_those_that_are_shown_and_blank_and_not_provided_for(self):
        values = dict.fromkeys(["姓名", "备注", "a", "b", "c", "d", "e"], " \u3000")
        assert empty_fields(self.SOURCE, values) == ["姓名", "d", "应发项目/基本工资"]

    def test_it_names_none_where_all_are_filled(self):
        assert empty_fields(self.SOURCE, {"姓名": "张", "d": "0", "应发项目/基本工资": "1"}) == []

    def test_default_stands_in_for_a_blank_value(self):
        assert "<p>无</p>" in rendered('<p>{{ 备注|default("无") }}</p>', {"备注": " "}).html

    def test_default_does_not_hide_a_value_that_the_row_lacks(self):
        with pytest.raises(RenderError) as error:
            rendered('<p>a</p>\n<p>{{ 备注|default("无") }}</p>', {})
        assert (error.value.kind, error.value.field, error.value.line) == ("missing", "备注", 2)


class TestCheck:
    def test_a_good_template_has_no_faults(self):
        assert (
            check(
                template("<p>{{ 姓名 }}{% if 备注 %}：{{ 备注 }}{% endif %}</p>", "{{ title }}"),
                FIELDS,
            )
            == []
        )

    def test_all_faults_come_at_once_with_their_places(self):
        source = template(
            "<p>{{ 姓名</p>\n  {{ 性名 }}\n{% include 'x' %}{{ 姓名|safe }}<script></script>",
            "{{ 7*7 }}",
        )
        found = [
            (fault.part, fault.line, fault.column, fault.kind) for fault in check(source, FIELDS)
        ]
        assert found == [
            ("subject", 1, 5, "operator"), ("html", 1, 4, "unclosed"), ("html", 2, 6, "unknown_field"),
            ("html", 3, 1, "statement"), ("html", 3, 24, "filter"), ("html", 3, 31, "element"),
        ]  # fmt: skip

    def test_a_typo_gets_a_suggestion_that_can_be_pasted(self):
        (fault,) = check(template("{{ 基本公资 }}"), FIELDS)
        assert fault.kind == "unknown_field"
        assert '{{ row["应发项目/基本工资"] }}' in fault.text

    @pytest.mark.parametrize("name", ["应发项目/基本工资", "部门 名称"])
    def test_a_column_with_signs_written_plainly_is_one_fault(self, name):
        (fault,) = check(template("{{ " + name + " }}"), FIELDS)
        assert (fault.kind, fault.line, fault.column) == ("needs_row", 1, 1)
        assert reference(name) in fault.text

    @pytest.mark.parametrize(
        "code",
        ["{{ settings.SECRET_KEY }}", "{% debug %}", "{% include 'a' %}", "{{ 姓名.__class__ }}", "{{ 7*7 }}", "{{ range(9) }}",
         "{% set a = 1 %}", "{% macro m() %}{% endmacro %}", "{% raw %}{{ x }}{% endraw %}", "{% filter safe %}{% endfilter %}",
         "{% autoescape false %}{{ 姓名 }}{% endautoescape %}", "{% extends 'a' %}", "{% block a %}{% endblock %}",
         "{% for i in [1,2] %}{% endfor %}", "{% for i in range(9) %}{% endfor %}", "{% for i in 姓名 %}{% endfor %}", "{% for c in cells recursive %}{% endfor %}",
         "{{ 姓名|safe }}", "{{ 姓名|replace('a', 姓名) }}", "{{ 姓名.upper() }}", "{{ (姓名)() }}", "{{ self }}", "{{ cells }}", "{{ row }}", "{{ row[姓名] }}",
         "{% for c in cells %}{{ c }}{% endfor %}", "{{ loop.previtem }}", "{{ loop(1) }}", "{{ {} }}", "{{ 'a' * 999999999 }}",
         "{% for a in cells %}{% for b in cells %}{% for c in cells %}{% endfor %}{% endfor %}{% endfor %}",
         "{% do 1 %}", "{% call x() %}{% endcall %}", "{% import 'a' as b %}", "{% with a=1 %}{% endwith %}", "{{ 姓名 is callable }}"],
    )  # fmt: skip
    def test_it_rejects_what_could_reach_out_or_grow(self, code):
        assert set(kinds(template(code))) - {"unknown_field"}
        with pytest.raises(TemplateFaults):
            Renderer(template(code))

    @pytest.mark.parametrize(
        "code",
        ["{{ }}", "{% if %}{% endif %}", "{% if 姓名 %}", "{% endif %}", "{% else %}", "{{ 姓名 姓名 }}", "{{ '姓名 }}", "{{ 姓名", "{%", "{#",
         "{% if 姓名 %}{% endfor %}", "{% else if 姓名 %}", "{{ 姓名| }}", "{{ row[\"姓名\" }}", "{% %}", "{% if 姓名 %}{% else 备注 %}{% endif %}"],
    )  # fmt: skip
    def test_it_rejects_what_the_engine_could_not_read(self, code):
        assert kinds(template(code))

    @pytest.mark.parametrize(
        ("html", "kind"),
        [("<script>alert(1)</script>", "element"), ("<form action=x>", "element"), ("<iframe src=x>", "element"), ("<base href=x>", "element"),
         ("<link rel=stylesheet href=x>", "element"), ("<meta http-equiv=refresh content=0>", "element"), ("<img src=x onerror=y>", "handler"),
         ("<p OnClick='x'>", "handler"), ("<a href=javascript:x>", "url"), ("<a href=' JaVa\tScript:x'>", "url"), ("<a href='&#106;avascript:x'>", "url"),
         ("<a href='data:text/html,x'>", "url"), ("<p {{ 姓名 }}>x</p>", "tag_in_html"), ("<a href={{ 姓名 }}>x</a>", "tag_in_html"),
         ("<{{ 姓名 }}>", None), ("<style>p{color:{{ 姓名 }}}</style>", "style"), ("<style>@import 'x';</style>", "style"),
         ("<svg onload=x>", "element"), ("<p style='width:expression(x)'>", "style"), ("  ", "empty")],
    )  # fmt: skip
    def test_it_rejects_html_that_mail_must_not_hold(self, html, kind):
        assert kind is None or kind in kinds(template(html))

    def test_an_image_by_address_or_data_is_fine(self):
        assert (
            kinds(
                template(
                    '<img src="https://corp.example/a.png"><img src="data:image/png;base64,AA">'
                )
            )
            == []
        )

    def test_too_long_and_empty_parts_are_faults(self):
        assert kinds(template("x" * 200_001)) == ["too_long"]
        assert kinds(template(subject=" ")) == ["empty"]
        assert kinds(template(subject="a\r\nBcc: x@y.example")) == ["control"]

    @given(st.text(st.sampled_from("{}%#\"'\\<>-= |.[]()/a姓row ifendfor\n!"), max_size=60))
    @settings(max_examples=400, deadline=None)
    def test_it_survives_garbage_and_what_passes_can_be_compiled(self, html):
        if not check(template(html), None):
            Renderer(template(html))

    @pytest.mark.parametrize(
        "piece",
        [
            "{{",
            "{%",
            "{{ '",
            '{{ "',
            "<",
            "<!--",
            "{{ a }}",
            "{% if a %}",
            "<table>",
            "'",
            "{#",
            "<p ",
            "{{ '}}",
            "<style>",
            "<p '",
            '<a b="',
            "</",
            "<!",
            "<?",
        ],
    )
    def test_long_garbage_costs_little(self, piece):
        started = time.process_time()
        check(template(piece * (20_000 // len(piece))), None)
        assert time.process_time() - started < 3

    def test_nothing_makes_a_parser_recurse_until_the_process_dies(self):
        # In a process of its own: each of these ended the interpreter by a segmentation fault in one of the parsers.
        code = """
from campaigns.mailer.template import TemplateSource, check
pieces = ["<div>", "<b>", "<div/>", "<table><tr><td>", "<ul><li>", "{{ a }}<b>", "<p><b id=x>y", "<p><i></p>"]
htmls = [piece * 20000 for piece in pieces]
htmls += ["{{ " + "not " * 40000 + "a }}", "{{ " + "(" * 60000 + "a" + ")" * 60000 + " }}", "{{ a" + "[0]" * 50000 + " }}"]
htmls += ["{% if a %}" * 15000, "{% if a %}" + "{% elif a %}" * 12000 + "{% endif %}"]
for html in htmls:
    assert check(TemplateSource("s", html), None), html[:30]
print("alive")
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.stdout == "alive\n", done.stderr

    def test_a_long_flat_page_with_implied_end_tags_is_not_too_deep(self):
        assert (
            kinds(
                template(
                    "<table>"
                    + "<tr><td>a<td>b" * 300
                    + "</table>"
                    + "<p>x<br>" * 300
                    + "<ul>"
                    + "<li>y" * 300
                    + "</ul>"
                )
            )
            == []
        )


class TestRender:
    def test_a_missing_value_names_field_part_and_line(self):
        source = template('<p>a</p>\n<p>{{ row["应发项目/基本工资"] }}</p>')
        with pytest.raises(RenderError) as error:
            Renderer(source).render({"姓名": "机密 8888.88"})
        assert (error.value.kind, error.value.part, error.value.line) == ("missing", "html", 2)
        assert error.value.field == "应发项目/基本工资"
        assert "8888" not in str(error.value)

    def test_a_missing_plain_field_too(self):
        with pytest.raises(RenderError) as error:
            rendered("<p>{{ 姓名 }}</p>")
        assert error.value.field == "姓名"

    def test_cells_are_split_into_group_and_label(self):
        html = "{% for c in cells %}[{{ c.begins_group }}|{{ c.group }}|{{ c.label }}|{{ c.value }}]{% endfor %}"
        rows = [
            Cell("姓名", "张"),
            Cell("应发/基本", "1"),
            Cell("应发/奖金/季度", "2"),
            Cell("扣款/社保", "3"),
        ]
        assert (
            "[0||姓名|张][1|应发|基本|1][0|应发|奖金/季度|2][1|扣款|社保|3]"
            in rendered(html, rows=rows).text
        )

    @pytest.mark.parametrize(
        "sneaky", ["a\r\nBcc: x@y.example", "a\n", "a\u2028b", "a\x85b", "a\tb", "a\x1cb"]
    )
    def test_a_line_break_never_gets_into_the_subject(self, sneaky):
        subject = Renderer(template(subject="{{ 姓名 }}")).render({"姓名": sneaky}).subject
        assert len(subject.splitlines()) == 1
        assert subject == " ".join(sneaky.split())

    @pytest.mark.parametrize("bad", ["\x00", "a\ud800", "\x07"])
    def test_a_value_that_can_not_be_sent_stops_the_message(self, bad):
        with pytest.raises(RenderError) as error:
            Renderer(template(subject="{{ 姓名 }}")).render({"姓名": bad})
        assert error.value.kind == "value"

    def test_a_value_that_is_no_text_stops_the_message(self):
        with pytest.raises(RenderError) as error:
            rendered("<p>{{ 姓名 }}</p>", {"姓名": object()})
        assert (error.value.kind, error.value.field) == ("value", "姓名")

    def test_a_blank_subject_stops_the_message(self):
        with pytest.raises(RenderError) as error:
            Renderer(template(subject="{{ title }}")).render({})
        assert error.value.kind == "blank_subject"

    def test_a_subject_that_grew_too_long_stops_the_message(self):
        with pytest.raises(RenderError) as error:
            Renderer(template(subject="{{ 姓名 }}")).render({"姓名": "长" * 251})
        assert (error.value.kind, error.value.part) == ("too_large", "subject")

    def test_the_same_renderer_serves_many_rows_without_mixing_them(self):
        renderer = Renderer(template("<p>{{ 姓名 }}{% if 备注 %}{{ 备注 }}{% endif %}</p>"))
        for number in range(50):
            done = renderer.render({"姓名": f"n{number}", "备注": "x" if number % 2 else ""})
            assert done.text == f"n{number}{'x' if number % 2 else ''}\n"
