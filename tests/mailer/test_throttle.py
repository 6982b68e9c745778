"""The quota ledger by example: permits, releases, rebuilding (invariant 3)."""

from __future__ import annotations

import threading

import pytest

from campaigns.mailer.throttle import LONGEST_WAIT, Ledger, Window, WindowKind
from tests.mailer.ledger_clock import SHANGHAI, Clock, a_ledger

FIVE_A_SECOND = [Window(WindowKind.SECOND, 5)]


def test_it_grants_up_to_the_amount_and_says_when_to_come_again() -> None:
    clock = Clock()
    ledger: Ledger = a_ledger(clock)
    first = ledger.acquire("r", FIVE_A_SECOND, "c", 3)
    second = ledger.acquire("r", FIVE_A_SECOND, "c", 3)
    assert (len(first.ids), len(second.ids)) == (3, 2)
    assert len({*first.ids, *second.ids}) == 5
    clock.true += 0.25
    ledger.settle("r", first.ids)
    clock.true += 0.5
    refused = ledger.acquire("r", FIVE_A_SECOND, "c", 3)
    assert refused.ids == []
    assert refused.wait == pytest.approx(0.5, abs=1e-5)
    clock.true += refused.wait
    assert len(ledger.acquire("r", FIVE_A_SECOND, "c", 9).ids) == 3


def test_it_waits_for_the_oldest_reply_and_no_longer() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    ids = ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids
    for number in range(3):
        clock.true += 0.1
        ledger.settle("r", [ids[number]])
    assert ledger.acquire("r", FIVE_A_SECOND, "c", 1).wait == pytest.approx(0.8, abs=1e-5)
    ledger.settle("r", ids[3:])
    # Two places less than before: the second reply has to grow old as well.
    four = [Window(WindowKind.SECOND, 4)]
    assert ledger.acquire("r", four, "c", 1).wait == pytest.approx(0.9, abs=1e-5)


def test_a_place_is_free_a_second_after_the_reply_and_not_a_microsecond_before() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    ledger.settle("r", ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids)
    clock.now += 999_999
    assert ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids == []
    clock.now += 2
    assert len(ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids) == 5


def test_a_message_counts_while_its_reply_is_awaited_however_long() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    ids = ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids
    clock.true += 600
    assert ledger.acquire("r", FIVE_A_SECOND, "c", 1).ids == []
    ledger.settle("r", ids)
    clock.true += 0.999
    assert ledger.acquire("r", FIVE_A_SECOND, "c", 1).ids == []
    clock.true += 0.002
    assert len(ledger.acquire("r", FIVE_A_SECOND, "c", 9).ids) == 5


def test_every_window_holds_at_once() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    windows = [Window(WindowKind.SECOND, 5), Window(WindowKind.MINUTE, 8)]
    ledger.settle("r", ledger.acquire("r", windows, "c", 9).ids)
    clock.true += 2
    ledger.settle("r", ledger.acquire("r", windows, "c", 9).ids)
    assert ledger.usage("r", windows) == [3, 8]
    clock.true += 2
    refused = ledger.acquire("r", windows, "c", 9)
    assert refused.ids == []
    assert refused.wait == pytest.approx(56, abs=1e-4)


def test_released_permits_are_free_at_once_and_groups_are_apart() -> None:
    ledger = a_ledger(Clock())
    ids = ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids
    assert len(ledger.acquire("other", FIVE_A_SECOND, "c", 5).ids) == 5
    ledger.release("r", [*ids[:2], "unknown/1"])
    assert ledger.usage("r", FIVE_A_SECOND) == [3]
    assert len(ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids) == 2


def test_what_a_dead_claim_had_in_flight_counts_as_replied_now() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    ledger.acquire("r", FIVE_A_SECOND, "dead", 3)
    alive = ledger.acquire("r", FIVE_A_SECOND, "alive", 2).ids
    ledger.abandon("r", "dead")
    clock.true += 1.001
    assert ledger.usage("r", FIVE_A_SECOND) == [2]
    ledger.release("r", alive)
    assert ledger.usage("r", FIVE_A_SECOND) == [0]


def test_no_window_means_no_limit_and_a_zero_amount_none_at_all() -> None:
    ledger = a_ledger(Clock())
    assert len(ledger.acquire("r", [], "c", 1000).ids) == 1000
    nothing = ledger.acquire("r", [Window(WindowKind.DAY, 0)], "c", 1)
    assert (nothing.ids, nothing.wait) == ([], LONGEST_WAIT)
    assert ledger.acquire("r", [], "c", 0).ids == []


@pytest.mark.parametrize(
    ("kind", "amount", "zone"),
    [("second", -1, None), ("hour", 1, SHANGHAI), ("day", 1, "Mars/Olympus"), ("day", 1, "../x")],
)
def test_it_rejects_windows_that_mean_nothing(kind: str, amount: int, zone: str | None) -> None:
    with pytest.raises(ValueError, match=r"amount|zone"):
        Window(WindowKind(kind), amount, zone)


# --- rebuilding


def test_a_rebuilt_ledger_remembers_attempts_and_open_claims() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    ledger.acquire("r", FIVE_A_SECOND, "lost", 5)
    windows = [Window(WindowKind.MINUTE, 10)]
    now = clock.true
    history = [(now - 90, now - 70), (now - 31, now - 30), (now - 1, None), (now, now + 500)]
    ledger.rebuild("r", history, open_claims=["a", "b"])
    assert ledger.usage("r", windows) == [5]
    clock.true += 30.1
    assert ledger.usage("r", windows) == [4]
    clock.true += 30.1
    assert ledger.usage("r", windows) == [
        2
    ]  # the open ones stay until somebody says what they became
    ledger.abandon("r", "a")
    ledger.settle("r", ["b/17"])
    clock.true += 60.1
    assert ledger.usage("r", windows) == [0]


def test_a_settled_id_from_before_the_rebuild_is_counted_once() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    old = ledger.acquire("r", FIVE_A_SECOND, "c", 1).ids
    ledger.rebuild("r", [], open_claims=["c"])
    ledger.settle("r", old)
    assert ledger.usage("r", FIVE_A_SECOND) == [1]


def test_old_replies_are_forgotten() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    for _ in range(2000):
        ledger.settle("r", ledger.acquire("r", FIVE_A_SECOND, "c", 5).ids)
        clock.true += 1.001
    assert len(ledger._accounts["r"].ended) < 200


def test_threads_together_stay_within_the_limit() -> None:
    clock = Clock()
    ledger = a_ledger(clock)
    windows = [Window(WindowKind.MINUTE, 100)]
    taken: list[str] = []

    def work(name: str) -> None:
        for _ in range(50):
            taken.extend(ledger.acquire("r", windows, name, 1).ids)

    threads = [threading.Thread(target=work, args=(f"c{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 100
