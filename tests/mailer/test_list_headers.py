"""A newsletter offers a link and a mailbox to unsubscribe, and one click where the link is https."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header

import pytest

from campaigns.mailer.address import Mailbox
from campaigns.mailer.encoded_words import HeaderFault
from campaigns.mailer.links import Links
from campaigns.mailer.list_headers import list_headers
from campaigns.mailer.message import Skeleton
from campaigns.mailer.return_path import ReturnPath
from campaigns.mailer.tokens import Tokens

TOKENS = Tokens([b"k" * 32])
URL = Links("https://mail.corp.example", TOKENS).unsubscribe(2**62, 2**62)
ADDRESS = ReturnPath("u+{token}@corp.example", TOKENS, purpose="unsubscribe").make(2**62, 2**62)


def test_it_offers_a_link_a_mailbox_and_one_click():
    assert dict(list_headers(unsubscribe_url=URL, unsubscribe_address=ADDRESS)) == {
        "List-Unsubscribe": f"<{URL}>, <mailto:{ADDRESS}?subject=unsubscribe>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def test_without_https_there_is_no_one_click():
    assert [name for name, _ in list_headers(unsubscribe_url="http://10.0.0.5/u/abc")] == [
        "List-Unsubscribe"
    ]


def test_the_list_id_has_a_readable_name():
    (_, _, (name, value)) = list_headers(
        unsubscribe_url=URL,
        list_id="news.corp.example",
        list_name="鸿雁公司资讯，每月一期，请勿回复本邮件",
    )
    assert name == "List-Id"
    assert value.endswith(" <news.corp.example>")
    shown, _, _ = value.rpartition(" ")
    assert str(make_header(decode_header(shown))) == "鸿雁公司资讯，每月一期，请勿回复本邮件"


def test_they_stand_in_a_message_as_they_were_made():
    fields = list_headers(
        unsubscribe_url=URL,
        unsubscribe_address=ADDRESS,
        list_id="news.corp.example",
        list_name="资讯",
    )
    message = Skeleton(from_=Mailbox("", "a@corp.example"), reply_to=None).build(
        to=Mailbox("", "b@corp.example"), subject="s", html="h", text="t", message_id="<a@corp.example>",
        date=datetime(2026, 11, 24, tzinfo=UTC), headers=fields,
    )  # fmt: skip
    read = message_from_bytes(message.content(), policy=policy.default)
    assert read["List-Unsubscribe"] == dict(fields)["List-Unsubscribe"]
    assert read["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_signs_with_a_meaning_in_urls_are_encoded():
    fields = list_headers(unsubscribe_url=URL, unsubscribe_address="a&b?c=d%@corp.example")
    assert "<mailto:a%26b%3Fc%3Dd%25@corp.example?subject=unsubscribe>" in fields[0][1]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://x",
        "https://x>, <https://evil",
        "https://x\r\nBcc: y",
        "https://a b",
        "https://例",
        "https://" + "a" * 900,
    ],
)
def test_it_rejects_a_link_that_could_break_the_field(url):
    with pytest.raises(ValueError, match="List-Unsubscribe"):
        list_headers(unsubscribe_url=url)


@pytest.mark.parametrize(
    "address", ["a", "a@b>", "a@b\r\nBcc: c", "a b@c", "李@例子.中国", "a@b,c@d"]
)
def test_it_rejects_a_mailbox_that_could_break_the_field(address):
    with pytest.raises(ValueError, match="mailbox"):
        list_headers(unsubscribe_url=URL, unsubscribe_address=address)


@pytest.mark.parametrize(
    "list_id", ["news", "news corp.example", "a>.b", "公司.中国", "a." + "b" * 260]
)
def test_it_rejects_a_list_id_that_is_none(list_id):
    with pytest.raises(ValueError, match="List-Id"):
        list_headers(unsubscribe_url=URL, list_id=list_id)


def test_it_rejects_a_line_break_in_the_name_of_the_list():
    with pytest.raises(HeaderFault):
        list_headers(unsubscribe_url=URL, list_id="news.corp.example", list_name="a\r\nBcc: b")
