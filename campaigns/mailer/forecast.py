"""Forecast: when a campaign will be finished, given all that slows it down at once.

A fluid simulation: messages flow from queues through relays to domains. Every window of a relay and of a
domain limit holds, with what it has counted already; connections bring so many messages a second; sending
hours open and close; a warm-up allows more each day; payslips go before newsletters, and queues of a kind
share a relay equally. Long windows fill and empty as in the ledger; those that turn over many times are a
steady rate. Time jumps from event to event, so a week costs as little as an hour.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from campaigns.mailer.forecast_meter import Meter, a_meter
from campaigns.mailer.sending_hours import Hours
from campaigns.mailer.throttle import MICROSECONDS, Window, WindowKind
from campaigns.mailer.warm_up import Ramp

#: Seconds: nothing is foretold beyond.
HORIZON = 400 * 86400.0
# The simulated span is cut in about so many steps; and never goes on for more than `_MOST_STEPS`.
_STEPS = 300
_MOST_STEPS = 20_000
_NOTHING = 1e-6


@dataclass(frozen=True, slots=True)
class Carrier:
    """A relay: `seconds_each` is how long a message takes on one of its connections; `history` what
    its windows count already, as (seconds ago, messages); `closed_for`: parked or resting, seconds."""

    windows: tuple[Window, ...] = ()
    connections: int = 1
    seconds_each: float = 0.2
    history: tuple[tuple[float, int], ...] = ()
    closed_for: float = 0.0
    ramp: Ramp | None = None
    ramp_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Destination:
    """A limited domain or group of them, through whichever relay."""

    windows: tuple[Window, ...]
    history: tuple[tuple[float, int], ...] = ()


#: Carrier, and the limited destination if there is one.
Lane = tuple[Hashable, Hashable | None]
#: Messages that wait.
Waiting = dict[Lane, float]


@dataclass(frozen=True, slots=True)
class Queue:
    """A campaign's messages that wait. `tier`: the lower ones go first. `starts_in`: seconds."""

    waiting: Waiting
    tier: int = 0
    hours: Hours | None = None
    starts_in: float = 0.0


@dataclass(slots=True)
class _Flow:
    """A queue while time passes."""

    left: Waiting
    tier: int
    hours: Hours | None
    starts: float
    interval: tuple[float, float] | None = None
    ended: float | None = None

    def opens(self, now: float) -> float:
        """When it may send: `now` if it may already; infinity if its hours never open."""
        now = max(now, self.starts)
        if self.hours is None:
            return now
        if self.interval is None or self.interval[1] <= now:
            found = self.hours.current(datetime.fromtimestamp(now, UTC))
            if found is None:
                return math.inf
            self.interval = (found[0].timestamp(), found[1].timestamp())
        return max(now, self.interval[0])

    def closes(self) -> float:
        return math.inf if self.interval is None else self.interval[1]


@dataclass(slots=True)
class _World:
    """`relays` and `domains`: what each still takes within the step; `moved`: what went through a relay."""

    carriers: dict[Hashable, Meter]
    destinations: dict[Hashable, Meter]
    flows: dict[Hashable, _Flow]
    now: float
    step: float
    open: list[_Flow] = field(default_factory=list)
    relays: dict[Hashable, float] = field(default_factory=dict)
    domains: dict[Hashable, float] = field(default_factory=dict)
    moved: dict[Hashable, float] = field(default_factory=dict)

    def room(self, lane: Lane) -> float:
        room = self.relays[lane[0]]
        if lane[1] is not None:
            room = min(room, self.domains[lane[1]])
        return room if room > _NOTHING else 0.0


def forecast(
    about: Hashable,
    queues: dict[Hashable, Queue],
    carriers: dict[Hashable, Carrier],
    destinations: dict[Hashable, Destination],
    *,
    now: datetime,
) -> datetime | None:
    """When the last message of the queue `about` is accepted, if every one is at the first try.

    None if that is beyond the horizon, or never. Pure: the same input gives the same instant.
    """
    world = _begin(queues, carriers, destinations, now.timestamp())
    mine = world.flows[about]
    for _ in range(_MOST_STEPS):
        if mine.ended is not None:
            return datetime.fromtimestamp(mine.ended, UTC)
        if world.now > now.timestamp() + HORIZON or not _advance(world):
            return None
    return None


def _begin(
    queues: dict[Hashable, Queue],
    carriers: dict[Hashable, Carrier],
    destinations: dict[Hashable, Destination],
    now: float,
) -> _World:
    through = {key: _total(queues, 0, key) for key in carriers}
    to = {key: _total(queues, 1, key) for key in destinations}
    # Messages to a domain take as long as on the slowest of the relays.
    each = max((carrier.seconds_each for carrier in carriers.values()), default=0.2)
    span = max(
        (
            *(_least(through[key], one.windows, one.seconds_each) for key, one in carriers.items()),
            *(through[key] * one.seconds_each / one.connections for key, one in carriers.items()),
            *(_least(to[key], one.windows, each) for key, one in destinations.items()),
            1.0,
        )
    )
    step = span / _STEPS
    flows = {
        key: _Flow(
            {lane: float(number) for lane, number in queue.waiting.items() if number > 0},
            queue.tier,
            queue.hours,
            now + queue.starts_in,
            ended=None if any(queue.waiting.values()) else now + queue.starts_in,
        )
        for key, queue in queues.items()
    }
    relays = {key: _of_carrier(one, now, step) for key, one in carriers.items()}
    domains = {key: _of_destination(one, now, step, each) for key, one in destinations.items()}
    return _World(relays, domains, flows, now, step)


def _total(queues: dict[Hashable, Queue], place: int, key: Hashable) -> float:
    lanes = (lane for queue in queues.values() for lane in queue.waiting.items())
    return sum(number for lane, number in lanes if lane[place] == key)


def _least(messages: float, windows: Iterable[Window], seconds_each: float) -> float:
    """Seconds that the tightest window needs for so many messages, at a steady rate."""
    rates = [
        window.amount / seconds_each
        if window.kind is WindowKind.IN_FLIGHT
        else window.amount * MICROSECONDS / window.length
        for window in windows
        if window.amount
    ]
    return messages / min(rates) if rates else 0.0


def _of_carrier(carrier: Carrier, now: float, step: float) -> Meter:
    meter = a_meter(carrier.windows, step, carrier.seconds_each)
    meter.limit_rate(carrier.connections / carrier.seconds_each)
    meter.opens = now + carrier.closed_for
    if carrier.ramp is not None:
        meter.add_ramp(carrier.ramp, carrier.ramp_zone)
    meter.remember(carrier.history, now)
    return meter


def _of_destination(one: Destination, now: float, step: float, seconds_each: float) -> Meter:
    meter = a_meter(one.windows, step, seconds_each)
    meter.remember(one.history, now)
    return meter


def _advance(world: _World) -> bool:
    """Sends what may go now, and moves on to when something more may; False if nothing ever may."""
    live = [flow for flow in world.flows.values() if flow.ended is None]
    world.open = [flow for flow in live if flow.opens(world.now) <= world.now]
    span = min([world.step, *(flow.closes() - world.now for flow in world.open)])
    world.relays = {key: meter.takes(world.now, span) for key, meter in world.carriers.items()}
    world.domains = {key: meter.takes(world.now, span) for key, meter in world.destinations.items()}
    took, world.moved = 0.0, {}
    for tier in sorted({flow.tier for flow in world.open}):
        same = [flow for flow in world.open if flow.tier == tier]
        took = max(took, _share_out(world, same))
    event = _next_event(world, [flow for flow in live if flow.ended is None])
    if took > 0:
        # What ran out of room waits for the event; what only ran out of time goes on at once.
        goes_on = event <= world.now
        world.now += span if goes_on else min(span, max(took, event - world.now))
        return True
    if event == math.inf:
        return False
    world.now = max(event, world.now + _NOTHING)
    return True


def _share_out(world: _World, flows: Sequence[_Flow]) -> float:
    """Gives each relay's room to these queues, equally; the seconds that it took. In a few rounds:
    what a narrow domain leaves over goes to the others."""
    took = 0.0
    for _round in range(4):
        lanes = [(flow, lane) for flow in flows for lane in flow.left if world.room(lane) > 0]
        if not lanes:
            break
        users = {key: sum(lane[0] == key for _, lane in lanes) for key in world.relays}
        before = dict(world.relays)
        for flow, lane in lanes:
            took = max(took, _send(world, flow, lane, before[lane[0]] / users[lane[0]]))
    return took


def _send(world: _World, flow: _Flow, lane: Lane, share: float) -> float:
    """Moves at most the share; returns the seconds since the step began."""
    number = min(share, flow.left[lane], world.room(lane))
    relay = world.carriers[lane[0]]
    world.relays[lane[0]] -= number
    world.moved[lane[0]] = world.moved.get(lane[0], 0.0) + number
    took = world.moved[lane[0]] / relay.rate
    middle = world.now + took - number / relay.rate / 2
    relay.count(middle, number)
    if lane[1] is not None:
        world.domains[lane[1]] -= number
        world.destinations[lane[1]].count(middle, number)
    flow.left[lane] -= number
    if flow.left[lane] <= _NOTHING:
        del flow.left[lane]
        if not flow.left:
            flow.ended = world.now + took
    return took


def _next_event(world: _World, live: Sequence[_Flow]) -> float:
    """The first moment at which one of the queues that wait may go on, as far as is known now."""
    moments = []
    for flow in live:
        opens = flow.opens(world.now)
        if opens > world.now:
            moments.append(opens)
            continue
        for carrier, destination in flow.left:
            meters = [world.carriers[carrier]]
            meters += [world.destinations[destination]] if destination is not None else []
            moments.append(max(meter.frees(world.now) for meter in meters))
            if flow.hours is not None:
                moments.append(flow.closes())
    return min(moments, default=math.inf)
