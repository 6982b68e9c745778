"""When a deferred delivery is due again: backoff with jitter (RFC 5321 4.5.4.1, RFC 6647).

The end of all tries is the delivery's `deliver_until`, which the caller compares with.
"""

from collections.abc import Sequence
from datetime import timedelta
from random import Random

from campaigns.mailer.reply import Verdict
from campaigns.mailer.reply_reasons import Reason

#: Waits after the first, second, … try; the last one repeats.
DELAYS: tuple[timedelta, ...] = tuple(timedelta(minutes=m) for m in (5, 10, 20, 40, 90, 180, 240))
#: Greylisting servers commonly refuse for the first five minutes.
GREYLIST_FLOOR = timedelta(minutes=5)
#: The most that chance adds, as a part of the delay. It never subtracts: a floor stays a floor.
JITTER = 0.2


def next_try(
    attempts: int,
    verdict: Verdict,
    *,
    delays: Sequence[timedelta] = DELAYS,
    rng: Random,
    greylist_floor: timedelta = GREYLIST_FLOOR,
) -> timedelta:
    """How long to wait after a deferral.

    `attempts` counts the tries that used up one (`Verdict.counts_as_attempt`), this one included.
    Trouble of the relay or connection waits for the first delay only: the recipient did nothing to
    be put off for longer. The wait is never shorter than `verdict.park_for`.
    """
    if not delays:
        raise ValueError("delays must not be empty")
    step = max(attempts, 1) if verdict.counts_as_attempt else 1
    delay = delays[min(step, len(delays)) - 1]
    if verdict.reason is Reason.GREYLISTED:
        delay = max(delay, greylist_floor)
    delay = max(delay, verdict.park_for or timedelta())
    return delay * (1 + JITTER * rng.random())
