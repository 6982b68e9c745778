"""CSS becomes style attributes, and every merge tag stays byte for byte where it was."""

import pytest

from campaigns.mailer.inline import InlineFault, inline


def test_rules_become_style_attributes_and_media_rules_stay():
    done = inline(
        "<style>td{padding:2px} @media (max-width:3px){td{color:red}}</style><table><tr><td>a</td></tr></table>"
    )
    assert '<td style="padding: 2px;">a</td>' in done
    assert "@media (max-width:3px){td{color:red}}" in done


@pytest.mark.parametrize(
    "tag",
    [
        '{{ row["应发/基本"] }}',
        "{{ a|default('<b>') }}",
        "{% if a < 3 and b > 4 %}x{% endif %}",
        "{{- a -}}",
        '{{ "}}" }}',
        "{# <p> #}",
    ],
)
def test_a_tag_survives_byte_for_byte_in_text_and_attributes(tag):
    html = f"<style>p{{color:red}}</style><p>a{tag}b</p><a href=\"https://x.example/?a=1&amp;b={tag}\" title='{tag}'>c</a><!-- {tag} -->"
    assert inline(html).count(tag) == 4


def test_tags_between_rows_stay_between_rows():
    done = inline("<table>{% for c in cells %}<tr><td>{{ c.value }}</td></tr>{% endfor %}</table>")
    assert (
        "<table><tbody>{% for c in cells %}<tr><td>{{ c.value }}</td></tr>{% endfor %}</tbody></table>"
        in done
    )


def test_a_tag_around_everything_stays_inside_the_document():
    done = inline("{% if a %}<p>x</p>{% endif %}")
    assert done == "<html><head></head><body>{% if a %}<p>x</p>{% endif %}</body></html>"


def test_outlook_conditional_comments_and_their_tags_survive():
    html = "<p>a</p><!--[if mso]><table><tr><td>{{ a }}</td></tr></table><![endif]-->"
    assert "<!--[if mso]><table><tr><td>{{ a }}</td></tr></table><![endif]-->" in inline(html)


def test_a_tag_as_a_css_value_survives():
    assert "{{ colour }}" in inline('<style>p{margin:0}</style><p style="color:{{ colour }}">x</p>')


def test_no_style_sheet_is_read_from_the_disk_or_the_network(tmp_path):
    sheet = tmp_path / "secret.css"
    sheet.write_text("p{color:#123456}")
    for address in (sheet.as_uri(), str(sheet), "https://127.0.0.1:1/a.css"):
        assert "123456" not in inline(f'<link rel="stylesheet" href="{address}"><p>x</p>')


@pytest.mark.parametrize(
    "html",
    [
        '<style>p{color:red}</style><p style="{{ a }};;x">x</p>',
        "<style>p{color:{{ a }}}</style><p>x</p>",
    ],
)
def test_it_refuses_rather_than_lose_a_tag(html):
    with pytest.raises(InlineFault):
        inline(html)


def test_text_that_looks_like_the_mask_is_left_alone():
    assert "<p>qzhy0z {{ a }}</p>" in inline("<p>qzhy0z {{ a }}</p>")


def test_a_style_sheet_that_would_multiply_is_refused_before_it_does():
    rules = "".join(f"*{{p{number}:1}}" for number in range(5000))
    with pytest.raises(InlineFault, match="太长"):
        inline(f"<style>{rules}</style>" + "<b>x</b>" * 5000)
