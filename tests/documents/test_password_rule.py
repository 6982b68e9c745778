"""A password is what the employee knows by heart: found in his row, or a fault that says why not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.documents.password_rule import PasswordFault, PasswordRule, gives_away

ID = PasswordRule("身份证号", 6)
WHOLE = PasswordRule("工号", 0)


@pytest.mark.parametrize(
    ("value", "password"),
    [
        ("11010119900307123X", "07123X"),
        ("11010119900307123x", "07123X"),
        (" 1101 0119 9003 0712 3X ", "07123X"),
        ("１１０１０１１９９００３０７１２３Ｘ", "07123X"),
        ("'110101199003071234'", None),
        ("110101\u200b199003071234\u00a0", "071234"),
    ],
)
def test_the_last_six_of_an_id_number(value, password):
    if password is None:
        with pytest.raises(PasswordFault):
            ID.password(value)
    else:
        assert ID.password(value) == password


@pytest.mark.parametrize("value", ["138-0013-8000", "+86 138 0013 8000", "13800138000"])
def test_the_tail_of_a_phone_number_whatever_way_it_is_written(value):
    assert PasswordRule("手机", 4).password(value) == "8000"


def test_a_staff_number_is_taken_whole_with_its_zeros():
    assert WHOLE.password("0042") == "0042"
    assert WHOLE.password("hy-00042") == "HY00042"


@pytest.mark.parametrize("value", [None, "", "   ", "\u3000", "--", "\u200b"])
def test_an_empty_cell_gives_no_password(value):
    with pytest.raises(PasswordFault) as fault:
        ID.password(value)
    assert fault.value.kind == "missing"


@pytest.mark.parametrize(("rule", "value"), [(ID, "12345"), (WHOLE, "042"), (ID, "无")])
def test_a_value_that_is_too_short_gives_none(rule, value):
    with pytest.raises(PasswordFault) as fault:
        rule.password(value)
    assert fault.value.kind == "short"


@pytest.mark.parametrize("value", ["110101********1234", "身份证号码未登记", "1.1010119900307E+17"])
def test_a_value_that_is_masked_or_no_number_gives_none(value):
    with pytest.raises(PasswordFault) as fault:
        ID.password(value)
    assert fault.value.kind == "characters"


def test_a_whole_value_has_an_upper_limit():
    with pytest.raises(PasswordFault) as fault:
        WHOLE.password("1" * 65)
    assert fault.value.kind == "characters"


def test_a_fault_quotes_no_value():
    for value in ("123", "110101********1234"):
        with pytest.raises(PasswordFault) as fault:
            ID.password(value)
        assert "123" not in str(fault.value)


@given(st.text(), st.integers(0, 18))
def test_a_password_is_plain_or_there_is_none(value, tail):
    try:
        password = PasswordRule("列", tail).password(value)
    except PasswordFault:
        return
    assert password.isascii()
    assert password.isalnum()
    assert password == password.upper()
    assert len(password) >= max(4, tail)


def test_the_hint_names_the_column_and_no_value():
    assert ID.hint() == "打开附件的密码是您的身份证号的后 6 位（字母用大写）。"
    assert WHOLE.hint() == "打开附件的密码是您的工号（字母用大写）。"


@pytest.mark.parametrize(
    "hint", ["密码 07123x", "０７１２３Ｘ", "密码：07-123-X", "密码 0 7 1 2 3 x"]
)
def test_a_hint_that_holds_a_password_is_found_out(hint):
    assert gives_away(hint, "07123X")
    assert not gives_away("身份证号的后 6 位", "07123X")
