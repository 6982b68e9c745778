"""What stands around an address is removed; what is wrong inside it is never repaired."""

from __future__ import annotations

import time

import pytest

from campaigns.workbooks.addresses import clean
from campaigns.workbooks.domains import suggest


@pytest.mark.parametrize(
    ("cell", "email"),
    [
        ("a@example.com", "a@example.com"),
        (" \u3000a@example.com\u00a0\n", "a@example.com"),
        ("\u200ba@exam\u200dple.com\ufeff", "a@example.com"),
        ("ａｂｃ＠ｅｘａｍｐｌｅ．ｃｏｍ", "abc@example.com"),
        ("a@example.com。", "a@example.com"),
        ("a@example.com,", "a@example.com"),
        ("<a@example.com>;", "a@example.com"),
        ("“a@example.com”", "a@example.com"),
        ("'a@example.com'", "a@example.com"),
        ("MAILTO:a@example.com?subject=x", "a@example.com"),
        ("张三 <a@example.com>", "a@example.com"),
        ("张三＜a@example.com＞", "a@example.com"),
        ('"Zhang, San" <a@example.com>', "a@example.com"),
        ("A.b+C@EXAMPLE.COM", "A.b+C@example.com"),
        ('"a b"@example.com', '"a b"@example.com'),
        ("a@例子.公司", "a@xn--fsqu00a.xn--55qx5d"),
        ("a@mail.例子.cn", "a@mail.xn--fsqu00a.cn"),
    ],
)
def test_it_takes_the_address_out_of_its_wrapping(cell: str, email: str) -> None:
    assert clean(cell).emails == (email,)
    assert clean(cell).rejected == ()


@pytest.mark.parametrize(
    "cell",
    [
        "无", "-", "N/A", "a@@example.com", "a@example", "a @example.com", "a@ example.com",
        ".a@example.com", "a.@example.com", "a..b@example.com", "a@.example.com",
        "a@example..com", "a@-example.com", "a@example-.com", "a@exa_mple.com", "a@[1.2.3.4]",
        "a@1.2.3.4", "a@exam\nple.com", "a@example.com\nBcc: b@example.com",
        "a@example.com\r\nb@example.com", "a@example.com b@example.com", "张三@example.com",
        "a,b@example.com", "x" * 65 + "@example.com", "a@" + "x" * 64 + ".com", "@example.com",
        "a@", "a\x00b@example.com", "请联系 a@example.com 索取", "邮箱：a@example.com",
    ],
)  # fmt: skip
def test_it_never_repairs_an_address(cell: str) -> None:
    cleaned = clean(cell)
    assert cleaned.emails == ()
    assert len(cleaned.rejected) == 1
    assert cleaned.rejected[0][0] == cell


@pytest.mark.parametrize("cell", ["", "  ", "\u200b", "\u3000\n"])
def test_a_blank_cell_is_neither_an_address_nor_a_fault(cell: str) -> None:
    assert clean(cell) == clean("")


@pytest.mark.parametrize("separator", [";", "；", ",", "，", "、", " ; ", ";\n", "/", " | ", ";;"])
def test_several_addresses_in_a_cell_are_several_recipients(separator: str) -> None:
    assert clean(f"a@example.com{separator}b@example.com").emails == (
        "a@example.com",
        "b@example.com",
    )


def test_a_display_name_among_several_loses_nobody() -> None:
    cell = "a@example.com; 张三 <b@example.com>"
    assert clean(cell).emails == ("a@example.com", "b@example.com")


def test_one_bad_address_among_several_is_told_alone() -> None:
    cleaned = clean("a@example.com;b@@example.com")
    assert cleaned.emails == ("a@example.com",)
    assert cleaned.rejected == (("b@@example.com", "more than one @"),)


def test_the_same_address_twice_in_a_cell_is_one() -> None:
    assert clean("a@example.com; A@example.com").emails == ("a@example.com",)


@pytest.mark.parametrize("filler", ["a", " ", "<", '"', "@", ".", ";", "a@b.c;", "<a", '"\\'])
def test_a_huge_cell_is_answered_at_once(filler: str) -> None:
    for size in (4_900, 100_000):
        started = time.perf_counter()
        clean(filler * (size // len(filler)))
        assert time.perf_counter() - started < 0.2


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("qq.con", "qq.com"), ("163.cm", "163.com"), ("gmial.com", "gmail.com"), ("gmai.com", "gmail.com"),
        ("hotmial.com", "hotmail.com"), ("outlok.com", "outlook.com"), ("126.co", "126.com"),
        ("foxmial.con", "foxmail.com"), ("yahoo.cim", "yahoo.com"), ("1663.com", "163.com"),
        ("qqq.com", "qq.com"), ("gamil.com", "gmail.com"), ("sina.con", "sina.com"),
    ],
)  # fmt: skip
def test_it_suggests_the_domain_that_was_meant(typed: str, meant: str) -> None:
    assert suggest(typed) == meant


@pytest.mark.parametrize(
    "domain",
    ["qq.com", "mail.com", "ymail.com", "example.com", "139.com", "189.cn", "live.cn", "yeah.net",
     "sina.com.cn", "company.co", "outlook.cn", "mail.qq.com", "tencent.com", "xn--fsqu00a.cn"],
)  # fmt: skip
def test_it_leaves_real_domains_alone(domain: str) -> None:
    assert suggest(domain) is None
