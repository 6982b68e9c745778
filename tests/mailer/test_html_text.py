"""The text part that is made from HTML reads like a letter, and its merge tags still work."""

from campaigns.mailer.html_text import html_to_text, tidy, without_tag_lines
from campaigns.mailer.template import Cell, Renderer, TemplateSource

PAYSLIP = """<style>td{padding:0}</style><!-- {{ 姓名 }} --><p>亲爱的 <b>{{ 姓名 }}</b>：</p>
<table width="100%"><tr><td><table>{% for c in cells %}
{% if c.begins_group %}<tr><th colspan=2>{{ c.group }}</th></tr>{% endif %}
<tr><td>{{ c.label }}</td><td><b>{{ c.value }}</b></td></tr>
{% endfor %}</table></td></tr></table><p>a &lt; b &amp; c</p>"""


def test_a_table_with_a_loop_has_one_line_for_each_row():
    rows = [Cell("应发/基本工资", "8,000"), Cell("应发/奖金", "500"), Cell("扣款/社保", "-300")]
    text = Renderer(TemplateSource("s", PAYSLIP)).render({"姓名": "张三"}, rows=rows).text
    assert (
        text == "亲爱的 张三：\n\n应发\n基本工资  8,000\n奖金  500\n扣款\n社保  -300\n\na < b & c\n"
    )


def test_a_link_shows_its_target_with_the_tag_in_it():
    assert (
        html_to_text('<a href="{{ unsubscribe_url }}">退订</a>') == "[退订]({{ unsubscribe_url }})"
    )


def test_tags_survive_byte_for_byte():
    tag = '{{ row["应发/基本"]|default("<无>") }}'
    assert html_to_text(f"<div><p>a{tag}</p></div>") == f"a{tag}"


def test_styles_comments_and_titles_are_left_out():
    assert html_to_text("<title>t {{ a }}</title><style>p{}</style><!-- {{ b }} --><p>x</p>") == "x"


def test_lists_and_line_breaks_are_lines():
    assert html_to_text("<ul><li>甲</li><li>乙</li></ul>一<br>二").splitlines() == [
        "* 甲",
        "* 乙",
        "一",
        "二",
    ]


def test_a_line_of_a_block_tag_alone_leaves_no_empty_line():
    assert without_tag_lines("{% for c in cells %}\n- {{ c.label }}\n{% endfor %}\nend") == (
        "{% for c in cells %}- {{ c.label }}\n{% endfor %}end"
    )
    assert (
        without_tag_lines("您好{% if a %}{{ a }}{% endif %}\n再见")
        == "您好{% if a %}{{ a }}{% endif %}\n再见"
    )


def test_nothing_makes_nothing():
    assert html_to_text("") == ""
    assert html_to_text("<!-- x -->") == ""


def test_tidy_joins_empty_lines_and_line_ends():
    assert tidy("\r\n a \r\n\r\n\n \n b\r") == " a\n\n b\n"
