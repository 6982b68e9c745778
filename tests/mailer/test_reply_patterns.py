"""What administrators write to recognise replies, and how long it may take."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer.reply import Phase, Reply, ReplyRule, Scope, classify, rule_for
from campaigns.mailer.reply_patterns import PatternFault, codes_of, statuses_of, words_of
from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.reply_rules import RULES


def rule(**fields: object) -> ReplyRule:
    return ReplyRule(Reason.RATE_LIMITED, Scope.RELAY, key="own:1", **fields)


def test_a_code_may_leave_its_last_digits_open() -> None:
    assert codes_of("450") == (450,)
    assert codes_of("45x, 550") == (*range(450, 460), 550)
    assert codes_of("5XX") == tuple(range(500, 600))
    assert codes_of(" ") == ()


@pytest.mark.parametrize("text", ["250", "45", "4x5", "6xx", "abc", "4500", "4..x"])
def test_it_rejects_what_is_no_code_of_a_refusal(text: str) -> None:
    with pytest.raises(PatternFault):
        codes_of(text)


@pytest.mark.parametrize("text", ["2.0.0", "4.7", "4.*.1", "x", "5.1.1.1"])
def test_it_rejects_what_is_no_status(text: str) -> None:
    with pytest.raises(PatternFault):
        statuses_of(text)


def test_a_status_may_leave_its_end_open() -> None:
    one = rule(enhanced=statuses_of("4.7.*, 5.1.1"))
    assert one.matches(Phase.RCPT, Reply(450, "4.7.28", "slow"))
    assert one.matches(Phase.RCPT, Reply(550, "5.1.1", ""))
    assert not one.matches(Phase.RCPT, Reply(450, "4.70.1", ""))
    assert not one.matches(Phase.RCPT, Reply(450, None, ""))


def test_a_star_in_a_phrase_stands_for_anything_in_between() -> None:
    one = rule(words=words_of("Too many * from  your IP"))
    assert one.matches(Phase.RCPT, Reply(450, None, "too MANY mails today from your ip 192.0.2.1"))
    assert not one.matches(Phase.RCPT, Reply(450, None, "from your ip: too many"))
    assert one.sign == "Too many…from your IP"


def test_a_piece_is_not_found_twice_in_one_place() -> None:
    one = rule(words=words_of("ab*ba"))
    assert not one.matches(Phase.RCPT, Reply(450, None, "aba"))
    assert one.matches(Phase.RCPT, Reply(450, None, "abba"))


def test_it_rejects_a_phrase_of_too_many_pieces() -> None:
    with pytest.raises(PatternFault):
        words_of("*".join("abcdefghij"))


def test_the_verdict_names_the_rule_and_an_earlier_one_wins() -> None:
    reply = Reply(451, None, "MI:SFQ hello")
    assert classify(Phase.CONTENT, reply, RULES).rule == "netease/mi-sfq"
    assert classify(Phase.CONTENT, reply, [rule(codes=(451,)), *RULES]).rule == "own:1"
    assert classify(Phase.RCPT, Reply(450, None, "later"), RULES).rule == ""


def test_no_rule_speaks_about_a_positive_reply() -> None:
    assert rule_for(Phase.CONTENT, Reply(250, None, "ok MI:SFQ"), [rule(), *RULES]) is None


def test_every_shipped_rule_has_a_key_of_its_own_that_can_be_stored() -> None:
    keys = [one.key for one in RULES]
    assert len(set(keys)) == len(keys)
    assert all(keys)
    assert max(map(len, keys)) <= 60


@given(st.text(max_size=200), st.text(max_size=300))
def test_no_phrase_and_no_text_break_it(phrase: str, text: str) -> None:
    try:
        words = words_of(phrase)
    except PatternFault:
        return
    rule(words=words).matches(Phase.RCPT, Reply(550, None, text))


@pytest.mark.parametrize("sign", ["a", "@", "a@", "ab", " a"])
def test_all_rules_together_take_little_time_on_a_hundred_kilobytes(sign: str) -> None:
    text = (sign * 100_000)[:100_000]
    hostile = rule(words=words_of("*".join(["a" * 24 + "b"] * 8)))
    began = time.process_time()
    for one in (hostile, *RULES):
        one.matches(Phase.RCPT, Reply(550, None, text))
    # Seconds for all of them: each is far below a tenth.
    assert (time.process_time() - began) / (len(RULES) + 1) < 0.1
