"""The required figures: ratios within one run, so that they are comparable across machines."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from msgspec import Struct

from bench import centrifugo, connections, direct, fanout, latency, references
from bench.inbox import listing, marking


class Bar(Struct, frozen=True):
    """A figure, or its ratio to a reference, must be at least (or at most) the target."""

    measurement: str
    target: float
    reference: str | None = None
    at_most: bool = False


BARS: Final = (
    Bar(fanout.STEADY, 0.6, references.SEND_LOOP),
    Bar(fanout.STEADY, 1.3, references.BROADCAST),
    Bar(fanout.BURST, 12, references.BROADCAST),
    Bar(fanout.BURST, 1_000_000),
    Bar(direct.SINGLE, 0.7, references.BARE_HANDLER),
    Bar(direct.SINGLE, 0.7, centrifugo.SINGLE),
    Bar(direct.BATCH, 2.2, references.BARE_HANDLER),
    Bar(direct.BATCH, 1.5, centrifugo.BATCH),
    Bar(connections.IDLE, 8, at_most=True),
    Bar(connections.OPENING, 3_000),
    Bar(connections.RETURN, 6, at_most=True),
    Bar(latency.MEDIAN, 1.0, at_most=True),
    Bar(latency.TAIL, 4.0, at_most=True),
    Bar(marking.ALL, 1.1, marking.ALL_OF_TEN, at_most=True),
    Bar(listing.FIRST, 10.0, at_most=True),
    Bar(listing.LAST, 1.1, listing.FIRST, at_most=True),
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
