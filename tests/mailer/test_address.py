"""What a person typed is an address, or a fault that says why it is none; nothing is repaired by guessing."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer.address import AddressFault, Mailbox, address_key, domain_of, parse_mailbox


@pytest.mark.parametrize(
    ("typed", "name", "address"),
    [("zhang@corp.example", "", "zhang@corp.example"),
     ("  Zhang.San@Corp.Example\t", "", "Zhang.San@corp.example"),
     ("张三 <zhang@corp.example>", "张三", "zhang@corp.example"),
     ('"Li, Si" <li@corp.example>', "Li, Si", "li@corp.example"),
     ('"a \\"b\\"" <li@corp.example>', 'a "b"', "li@corp.example"),
     ("<li@corp.example>", "", "li@corp.example"),
     ("张三＜ｚｈａｎｇ＠ｃｏｒｐ．ｅｘａｍｐｌｅ＞", "张三", "zhang@corp.example"),
     ("\u3000zhang@corp。example\ufeff", "", "zhang@corp.example"),
     ("a@例子.中国", "", "a@xn--fsqu00a.xn--fiqs8s"),
     ("a@Bücher.example", "", "a@xn--bcher-kva.example"),
     ("李@例子.中国", "", "李@xn--fsqu00a.xn--fiqs8s"),
     ('"a b"@corp.example', "", '"a b"@corp.example'),
     ('"a@b"@corp.example', "", '"a@b"@corp.example'),
     ("a+b=c!#$%&'*/?^_`{|}~-@corp.example", "", "a+b=c!#$%&'*/?^_`{|}~-@corp.example"),
     ("a@1-2.3com.x1", "", "a@1-2.3com.x1"),
     ("a" * 64 + "@corp.example", "", "a" * 64 + "@corp.example")],
)  # fmt: skip
def test_it_reads_what_people_type(typed, name, address):
    assert parse_mailbox(typed) == Mailbox(name, address)


@pytest.mark.parametrize(
    ("typed", "kind"),
    [("", "empty"), (" \u3000", "empty"), ("zhang", "at"), ("@corp.example", "at"), ("a@", "at"), ("a@@corp.example", "at"),
     ("a@b@corp.example", "at"), ("a b@corp.example", "blank"), ("a@cor p.example", "blank"), ("a..b@corp.example", "local"),
     (".a@corp.example", "local"), ("a.@corp.example", "local"), ("a,b@corp.example", "local"), ("a(b)@corp.example", "local"),
     ("a;@corp.example", "local"), ("a" * 65 + "@corp.example", "local_long"), ("李" * 22 + "@corp.example", "local_long"),
     ("a@corp", "domain_dot"), ("a@-corp.example", "domain"), ("a@corp-.example", "domain"), ("a@corp..example", "domain"),
     ("a@.corp.example", "domain"), ("a@corp.example.", "domain"), ("a@co_rp.example", "domain"), ("a@10.0.0.1", "domain"),
     ("a@[10.0.0.1]", "domain"), ("a@" + "b" * 64 + ".example", "domain"), ("a@" + "b." * 130 + "example", "domain"),
     ("a" * 64 + "@" + "b" * 60 + "." + "c" * 60 + "." + "d" * 60 + "." + "e" * 10 + ".example", "address_long"),
     ("a@\u2603.\u0378", "domain"), ("张三 <a@corp.example> x", "bracket"), ("a@corp.example>", "bracket"), ("x" * 2001, "long"),
     ("a@corp.example, b@corp.example", "at"), ("a@corp.example;b@corp.example", "at")],
)  # fmt: skip
def test_it_says_what_is_wrong(typed, kind):
    with pytest.raises(AddressFault) as fault:
        parse_mailbox(typed)
    assert fault.value.kind == kind
    assert fault.value.text


@pytest.mark.parametrize(
    "evil", ["\r\n", "\n", "\r", "\0", "\u2028", "\u2029", "\x7f", "\x85", "\ud800"]
)
@pytest.mark.parametrize(
    "where",
    [
        "a{}b@corp.example",
        "a@co{}rp.example",
        "张{}三 <a@corp.example>",
        '"a{}b"@corp.example',
        "<a@corp.example{}>",
    ],
)
def test_a_line_break_or_control_is_rejected_everywhere(where, evil):
    with pytest.raises(AddressFault):
        parse_mailbox(where.format(evil))


def test_only_a_local_part_beyond_ascii_needs_smtputf8():
    assert parse_mailbox("李@corp.example").needs_smtputf8
    assert not parse_mailbox("李 <li@例子.中国>").needs_smtputf8


def test_two_spellings_have_one_key():
    assert (
        address_key("Zhang@例子.中国")
        == address_key("zhang@XN--FSQU00A.xn--fiqs8s")
        == "zhang@xn--fsqu00a.xn--fiqs8s"
    )


def test_the_domain_is_in_a_labels():
    assert domain_of("Zhang@Corp.Example") == "corp.example"
    with pytest.raises(AddressFault):
        domain_of("zhang")


@given(st.text(max_size=80))
def test_it_survives_garbage_and_what_passes_is_stable(typed):
    try:
        mailbox = parse_mailbox(typed)
    except AddressFault:
        return
    assert parse_mailbox(mailbox.address).address == mailbox.address
    assert address_key(mailbox.address) == mailbox.address.lower()


@pytest.mark.parametrize("piece", ["a", " ", "<", '"', "\\", "a.", "@", "“", '"\\', "\u3000"])
def test_long_garbage_costs_nothing(piece):
    started = time.process_time()
    for typed in (
        piece * 100_000,
        piece * 1900,
        piece * 900 + "@" + piece * 900,
        '"' + piece * 1800 + "@b.cn",
    ):
        with pytest.raises(AddressFault):
            parse_mailbox(typed)
    assert time.process_time() - started < 0.1
