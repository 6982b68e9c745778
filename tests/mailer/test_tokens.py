"""A token proves its ids and its purpose, in any case of letters, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer.tokens import Tokens, message_id, message_id_of

OLD, NEW = b"o" * 32, b"n" * 32
TOKENS = Tokens([NEW])
ids = st.integers(0, 2**63 - 1)


@given(st.lists(ids, min_size=1, max_size=4))
def test_it_reads_back_its_ids_also_in_upper_case(numbers):
    token = TOKENS.make("unsubscribe", *numbers)
    assert TOKENS.read("unsubscribe", token) == tuple(numbers)
    assert TOKENS.read("unsubscribe", token.upper()) == tuple(numbers)


@given(ids, ids)
def test_two_ids_make_at_most_55_letters_and_digits(one, two):
    token = TOKENS.make("return-path", one, two)
    assert len(token) <= 55
    assert token.isalnum()
    assert token == token.lower()


def test_a_token_of_another_purpose_or_another_key_is_none():
    token = TOKENS.make("return-path", 7, 9)
    assert TOKENS.read("unsubscribe", token) is None
    assert Tokens([OLD]).read("return-path", token) is None


def test_after_a_rotation_old_tokens_are_read_and_new_ones_made_with_the_new_key():
    old = Tokens([OLD]).make("return-path", 7, 9)
    rotated = Tokens([NEW, OLD])
    assert rotated.read("return-path", old) == (7, 9)
    assert rotated.make("return-path", 7, 9) == TOKENS.make("return-path", 7, 9)


def test_no_changed_character_passes():
    token = TOKENS.make("return-path", 123456, 7890123)
    for place in range(len(token)):
        for other in "a2z7":
            changed = token[:place] + other + token[place + 1 :]
            assert changed == token or TOKENS.read("return-path", changed) is None


def test_no_shortened_or_lengthened_token_passes():
    token = TOKENS.make("return-path", 1, 2)
    assert all(TOKENS.read("return-path", token[:length]) is None for length in range(len(token)))
    assert all(
        TOKENS.read("return-path", token + more) is None
        for more in ("a", "=", "aa", " ", "\n", "aaaaaaaa")
    )


def test_ids_do_not_run_into_each_other():
    assert TOKENS.make("p", 1, 23) != TOKENS.make("p", 12, 3)
    assert TOKENS.make("p", 1) != TOKENS.make("p", 1, 0)


@given(st.text(max_size=120))
def test_it_survives_garbage(garbage):
    assert TOKENS.read("return-path", garbage) is None


@pytest.mark.parametrize("numbers", [(), (-1,), (2**63,), (1, 2, 3, 4, 5)])
def test_it_rejects_ids_that_it_can_not_hold(numbers):
    with pytest.raises(ValueError, match="ids"):
        TOKENS.make("p", *numbers)


@pytest.mark.parametrize("keys", [[], [b"short"], [NEW, b""]])
def test_it_rejects_missing_and_short_keys(keys):
    with pytest.raises(ValueError, match="key"):
        Tokens(keys)


def test_a_message_id_is_stable_and_differs_by_delivery_campaign_and_secret():
    made = message_id(5, 3, NEW, "Corp.Example")
    assert made == message_id(5, 3, NEW, "corp.example")
    assert made.startswith("<")
    assert made.endswith("@corp.example>")
    assert (
        len(
            {
                made,
                message_id(6, 3, NEW, "corp.example"),
                message_id(5, 4, NEW, "corp.example"),
                message_id(5, 3, OLD, "corp.example"),
            }
        )
        == 4
    )


@pytest.mark.parametrize(
    "domain", ["", "corp", "公司.中国", "corp.example>\r\nBcc: x", "a b.example"]
)
def test_a_message_id_rejects_what_is_no_domain(domain):
    with pytest.raises(ValueError, match="domain"):
        message_id(1, 1, NEW, domain)


@given(ids, ids)
def test_a_message_id_names_its_ids_and_one_of_somebody_else_names_none(campaign_id, delivery_id):
    made = message_id(delivery_id, campaign_id, NEW, "corp.example")
    assert message_id_of(made) == (campaign_id, delivery_id)
    assert message_id_of(f"<{TOKENS.make('x', 1)}@corp.example>") is None
    assert message_id_of("<CAF+1@mail.example>") is None
