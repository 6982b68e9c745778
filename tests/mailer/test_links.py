"""Links to our public pages carry a signed recipient and nothing that could be changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer.links import Links
from campaigns.mailer.tokens import Tokens

TOKENS = Tokens([b"k" * 32])
LINKS = Links("https://mail.corp.example/", TOKENS)


def test_an_unsubscribe_link_names_its_recipient():
    link = LINKS.unsubscribe(3, 5)
    assert link.startswith("https://mail.corp.example/u/")
    assert LINKS.read_unsubscribe(link.rpartition("/")[2]) == (3, 5)


def test_a_token_made_for_a_return_path_unsubscribes_nobody():
    assert LINKS.read_unsubscribe(TOKENS.make("return-path", 3, 5)) is None
    assert LINKS.read_unsubscribe(TOKENS.make("unsubscribe", 3)) is None


@given(st.text(max_size=100))
def test_it_survives_garbage(garbage):
    assert LINKS.read_unsubscribe(garbage) is None


def test_only_https_is_secure_enough_for_one_click():
    assert LINKS.secure
    assert not Links("http://10.0.0.5:8000/mail", TOKENS).secure


@pytest.mark.parametrize(
    "base",
    ["", "mail.corp.example", "//mail.corp.example", "ftp://corp.example", "javascript:alert(1)", "https://", "https://user:pw@corp.example",
     "https://corp.example/?a=1", "https://corp.example/#a", "https://corp.example/ a", "https://corp.example/>\r\nBcc: x", "https://corp.example\\@evil.example",
     "https://corp.example/,", "https://例子.中国"],
)  # fmt: skip
def test_it_rejects_a_base_that_is_no_plain_address(base):
    with pytest.raises(ValueError, match="public address"):
        Links(base, TOKENS)
