"""Merge tags are found at their places, whatever stands around them and inside their strings."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from campaigns.mailer.template_tags import Mask, Places, scan

sources = st.lists(
    st.sampled_from(
        ["{{", "}}", "{%", "%}", "{#", "#}", "'", '"', "\\", "a", "姓名", "\n", "<", "-", "qzhy0z"]
    )
).map("".join)


def inners(source: str) -> list[tuple[str, str]]:
    return [(tag.kind, tag.inner) for tag in scan(source).tags]


def test_it_finds_outputs_blocks_and_comments():
    assert inners("a{{ b }}{% if c %}{# d {{ #}") == [
        ("output", " b "),
        ("block", " if c "),
        ("comment", " d {{ "),
    ]


def test_a_delimiter_inside_a_string_is_none():
    assert inners("""{{ row["}}"] }}{{ row['{{'] }}{{ "a\\"}}" }}""") == [
        ("output", ' row["}}"] '), ("output", " row['{{'] "), ("output", ' "a\\"}}" '),
    ]  # fmt: skip


def test_signs_of_white_space_control_belong_to_the_delimiters():
    assert inners("{{- a -}}{%+ if b -%}") == [("output", " a "), ("block", " if b ")]


@pytest.mark.parametrize(
    ("source", "places"),
    [
        ("{{ a", [0]),
        ("{{ a {{ b }}", [0]),
        ("{{ 'a }}", [0]),
        ("x{% if {{ a }}", [1]),
        ('{{ row["a"] <p> {{ b }}', [0]),
        ("{#", [0]),
    ],
)
def test_an_opening_without_an_end_is_reported_and_the_next_tag_still_found(source, places):
    found = scan(source)
    assert found.unclosed == places
    assert len(found.tags) == source.count("}}") - (source == "{{ 'a }}")


def test_places_count_lines_and_columns_from_one():
    places = Places("ab\n\n{{ x }}")
    assert [places.of(offset) for offset in (0, 1, 2, 3, 4, 7)] == [
        (1, 1),
        (1, 2),
        (1, 3),
        (2, 1),
        (3, 1),
        (3, 4),
    ]


def test_tokens_carry_their_offsets_and_strings_their_meaning():
    (tag,) = scan('xx{{ row["a\\"b"] | default(1.5) }}').tags
    tokens = tag.tokens()
    assert [token.text for token in tokens] == [
        "row",
        "[",
        '"a\\"b"',
        "]",
        "|",
        "default",
        "(",
        "1.5",
        ")",
    ]
    assert tokens[0].at == 5
    assert tokens[2].literal == 'a"b'


@given(sources)
def test_a_mask_hides_every_tag_and_gives_each_back_byte_for_byte(source):
    mask = Mask(source)
    assert mask.restored(mask.masked()) == source
    outside, position = [], 0
    for tag in mask.tags:
        outside.append(source[position : tag.start])
        position = tag.end
    # Braces around a tag are a fault that `check` names; nothing is masked before that.
    assume(not re.search(r"{[{%#]", "\n".join([*outside, source[position:]])))
    assert scan(mask.masked()).tags == []


@given(sources)
def test_tags_never_overlap_and_lie_inside_the_source(source):
    end = 0
    for tag in scan(source).tags:
        assert end <= tag.start < tag.end <= len(source)
        assert source[tag.inner_at : tag.inner_at + len(tag.inner)] == tag.inner
        end = tag.end
