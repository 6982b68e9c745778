"""When a deferred delivery is due again."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mailer.reply import Outcome, Scope, Verdict
from campaigns.mailer.reply_reasons import Reason
from campaigns.mailer.retry import DELAYS, GREYLIST_FLOOR, JITTER, next_try

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
TEMPORARY = Verdict(Outcome.DEFERRED, Scope.RECIPIENT, Reason.TEMPORARY)
GREYLISTED = Verdict(Outcome.DEFERRED, Scope.RECIPIENT, Reason.GREYLISTED)
THROTTLED = Verdict(Outcome.DEFERRED, Scope.RELAY, Reason.RATE_LIMITED, 15 * MINUTE)
LOST = Verdict(Outcome.DEFERRED, Scope.CONNECTION, Reason.LOST, MINUTE)


class Never(Random):
    def random(self) -> float:
        return 0.0


def test_it_waits_longer_with_each_try_and_then_stays() -> None:
    waits = [next_try(n, TEMPORARY, rng=Never()) for n in range(1, 10)]
    assert waits == [*DELAYS, DELAYS[-1], DELAYS[-1]]


def test_greylisting_waits_five_minutes_even_with_short_delays() -> None:
    assert next_try(1, GREYLISTED, delays=[SECOND], rng=Never()) == GREYLIST_FLOOR
    floor = {"delays": [SECOND], "greylist_floor": SECOND}
    assert next_try(1, GREYLISTED, rng=Never(), **floor) == SECOND


def test_it_does_not_come_back_while_the_relay_is_parked() -> None:
    assert next_try(1, THROTTLED, delays=[SECOND], rng=Never()) == 15 * MINUTE


def test_trouble_of_the_connection_does_not_push_the_recipient_back() -> None:
    assert next_try(7, LOST, rng=Never()) == DELAYS[0]


def test_jitter_spreads_a_crowd() -> None:
    rng = Random(1)
    waits = {next_try(1, TEMPORARY, rng=rng) for _ in range(100)}
    assert len(waits) == 100


@given(st.integers(-1, 99), st.sampled_from([TEMPORARY, GREYLISTED, THROTTLED, LOST]), st.randoms())
def test_jitter_never_shortens_the_wait(attempts: int, verdict: Verdict, rng: Random) -> None:
    least = next_try(attempts, verdict, rng=Never())
    assert least <= next_try(attempts, verdict, rng=rng) <= least * (1 + JITTER)


def test_it_rejects_an_empty_list_of_delays() -> None:
    with pytest.raises(ValueError, match="delays"):
        next_try(1, TEMPORARY, delays=[], rng=Never())
