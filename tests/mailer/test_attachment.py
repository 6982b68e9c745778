"""A file arrives as it was, under its own name, whatever language the name is in."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.mailer.address import Mailbox
from campaigns.mailer.attachment import LONGEST_NAME, Attachment, AttachmentFault, file_name
from campaigns.mailer.message import Message, Skeleton
from campaigns.mailer.signing import Algorithm, Signer, generate_ed25519

HR = Mailbox("鸿雁公司 人力资源部", "hr@corp.example")
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
FORBIDDEN = re.compile(
    '[\x00-\x1f\x7f-\x9f/\\\\:*?"<>|\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]'
)

texts = st.text(st.characters(exclude_categories=["Cs"]))
names = texts.map(lambda text: file_name(text, "pdf"))


def build(*attachments: Attachment, text: str = "您好", html: str = "<p>您好</p>") -> Message:
    return Skeleton(from_=HR, reply_to=None).build(
        to=Mailbox("张三", "zhang@corp.example"), subject="工资条", html=html, text=text,
        message_id="<1.2.abc@corp.example>", date=NOW, attachments=attachments,
    )  # fmt: skip


def parsed(message: Message) -> EmailMessage:
    read = message_from_bytes(message.content(), policy=policy.default)
    assert isinstance(read, EmailMessage)
    assert not read.defects
    return read


def files(message: Message) -> list[tuple[str | None, str, bytes]]:
    return [
        (part.get_filename(), part.get_content_type(), part.get_payload(decode=True))
        for part in parsed(message).iter_attachments()
    ]


@given(name=names, data=st.binary(max_size=2000), text=texts, html=texts)
@settings(max_examples=150, deadline=None)
def test_the_stdlib_reads_back_file_and_texts(name, data, text, html):
    message = build(Attachment(name, "application/pdf", data), text=text, html=html)
    assert files(message) == [(name, "application/pdf", data)]
    read = parsed(message)
    assert read.get_content_type() == "multipart/mixed"
    body = read.get_body(("html",))
    assert body is not None
    assert body.get_content() == re.sub("\r\n|\r|\n", "\r\n", html)


@given(name=names, data=st.binary(max_size=2000))
@settings(max_examples=100, deadline=None)
def test_the_wire_stays_seven_bit_with_short_crlf_lines_and_no_bare_dot(name, data):
    content = build(Attachment(name, "application/pdf", data)).content()
    assert content.isascii()
    lines = content.split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert max(map(len, lines)) <= 78
    assert b"." not in lines


def test_several_files_keep_their_order():
    given_files = [Attachment(f"{n}月.pdf", "application/pdf", b"%d" % n) for n in range(1, 4)]
    assert [name for name, _type, _data in files(build(*given_files))] == ["1月.pdf", "2月.pdf", "3月.pdf"]  # fmt: skip


def test_a_chinese_name_is_written_as_rfc_2231_says():
    body = build(Attachment("工资条.pdf", "application/pdf", b"")).body
    assert b"filename*=UTF-8''%E5%B7%A5%E8%B5%84%E6%9D%A1.pdf" in body
    assert b'filename="payslip.pdf"' in build(Attachment("payslip.pdf", "application/pdf", b"")).body  # fmt: skip
    long = build(Attachment("二〇二六年十一月工资条.pdf", "application/pdf", b"")).body
    assert b"filename*0*=UTF-8''" in long
    assert b"\r\n filename*1*=%" in long


def test_a_file_that_looks_like_a_part_of_ours_ends_nothing():
    data = b"\r\n--=_hongyan_mixed--\r\n.\r\n--=_hongyan_alternative\r\n"
    message = build(Attachment("a.pdf", "application/pdf", data), text=data.decode())
    assert files(message) == [("a.pdf", "application/pdf", data)]
    assert len(list(parsed(message).iter_parts())) == 2


def test_without_a_file_the_message_is_as_it_always_was():
    read = parsed(build())
    assert read.get_content_type() == "multipart/alternative"
    assert b"_hongyan_mixed" not in build().content()


def test_a_signature_covers_the_file():
    key, _public = generate_ed25519()
    signer = Signer("corp.example", "s1", key, Algorithm.ED25519)
    signed = [
        signer.sign(build(Attachment("a.pdf", "application/pdf", data)), now=NOW)[1]
        for data in (b"1", b"2")
    ]
    assert signed[0] != signed[1]


@pytest.mark.parametrize(
    "name",
    ["", " ", "a/b.pdf", "..\\b.pdf", "a\r\nX: y.pdf", "a\0.pdf", 'a".pdf', "C:a.pdf", "a\u202efdp.exe", "\ud800.pdf", ".pdf", "a.pdf.", "工" * (LONGEST_NAME + 1)],
)  # fmt: skip
def test_it_rejects_a_name_that_could_lead_elsewhere(name):
    with pytest.raises(AttachmentFault) as fault:
        Attachment(name, "application/pdf", b"")
    assert fault.value.kind == "name"


@pytest.mark.parametrize("media_type", ["", "pdf", "application/pdf; x=y", "a/b\r\nX: y", "A/B"])
def test_it_rejects_a_type_that_is_none(media_type):
    with pytest.raises(AttachmentFault) as fault:
        Attachment("a.pdf", media_type, b"")
    assert fault.value.kind == "type"


@given(st.text())
def test_any_text_becomes_a_name(text):
    name = file_name(text, "xlsx")
    assert Attachment(name, "application/pdf", b"").name == name
    assert not FORBIDDEN.search(name)
    assert name.endswith(".xlsx")
