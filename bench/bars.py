"""The required figures: ratios within one run, so that they are comparable across machines."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from msgspec import Struct

from bench import centrifugo, connections, direct, fanout, latency, references, sender
from bench.inbox import listing, marking, memory, workload
from bench.kinds import EVENTS, STOMP


class Bar(Struct, frozen=True):
    """A figure, or its ratio to a reference, must be at least (or at most) the target."""

    measurement: str
    target: float
    reference: str | None = None
    at_most: bool = False


BARS: Final = (
    Bar(fanout.STEADY, 0.7, references.SEND_LOOP),
    Bar(fanout.STEADY, 1.3, references.BROADCAST),
    Bar(fanout.BURST, 40, references.BROADCAST),
    Bar(direct.SINGLE, 0.9, references.BARE_HANDLER),
    Bar(direct.SINGLE, 0.7, centrifugo.SINGLE),
    Bar(direct.BATCH, 2.5, references.BARE_HANDLER),
    Bar(direct.BATCH, 1.5, centrifugo.BATCH),
    Bar(sender.SENDER, 2.5, references.BARE_HANDLER),
    Bar(connections.OPENING, 0.35, references.BARE_HANDLER),
    # A resume costs as much as five bare requests.
    Bar(connections.RETURN, 0.2, references.BARE_HANDLER),
    Bar(connections.IDLE, 7, at_most=True),
    Bar(STOMP.figure(fanout.STEADY), 0.8, fanout.STEADY),
    Bar(STOMP.figure(fanout.BURST), 0.5, fanout.BURST),
    Bar(STOMP.figure(connections.IDLE), 9, at_most=True),
    Bar(EVENTS.figure(fanout.STEADY), 0.8, fanout.STEADY),
    Bar(EVENTS.figure(fanout.BURST), 0.5, fanout.BURST),
    Bar(EVENTS.figure(connections.IDLE), 8, at_most=True),
    Bar(latency.MEDIAN, 2, centrifugo.MEDIAN, at_most=True),
    Bar(latency.TAIL, 3, centrifugo.TAIL, at_most=True),
    Bar(marking.ALL, 1.1, marking.ALL_OF_TEN, at_most=True),
    Bar(listing.FIRST, 10, at_most=True),
    Bar(listing.LAST, 1.1, listing.FIRST, at_most=True),
    Bar(workload.PAGE_OF_GROUPS, 20, at_most=True),
    Bar(workload.COUNTS_OF_GROUPS, 8, at_most=True),
    Bar(memory.DIRECT, 400, at_most=True),
    Bar(memory.COPY, 150, at_most=True),
)


class Verdict(Struct, frozen=True):
    """A bar and the reached value: the median over rounds of the ratio within a round."""

    bar: Bar
    reached: float
    met: bool


def judge(rounds: Sequence[Mapping[str, float]]) -> list[Verdict]:
    """The verdict on each bar whose figures were measured. `rounds` has the values of each figure by name."""
    verdicts = []
    for bar in BARS:
        values = [
            values[bar.measurement] / (values[bar.reference] if bar.reference else 1)
            for values in rounds
            if bar.measurement in values and (bar.reference is None or bar.reference in values)
        ]
        if values:
            reached = median(values)
            met = reached <= bar.target if bar.at_most else reached >= bar.target
            verdicts.append(Verdict(bar, reached, met))
    return verdicts
