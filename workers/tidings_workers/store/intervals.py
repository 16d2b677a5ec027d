"""Sets of positions as sorted, flat lists of boundaries.

Every second boundary ends an interval, `after` < position <= `up_to`: ``[0, 5, 7, 8]`` is 1 to 5 and 8.
An even number of boundaries below a position means that it is outside. Scripts get the lists packed, and read
stored ones as JSON.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Bounds = list[int]


def pairs(bounds: Bounds) -> Iterator[tuple[int, int]]:
    """The intervals in order, each as (after, up to)."""
    return zip(bounds[::2], bounds[1::2], strict=True)


def each(bounds: Bounds) -> Iterator[int]:
    """The positions in the set, in order."""
    for after, up_to in pairs(bounds):
        yield from range(after + 1, up_to + 1)


def contains(bounds: Bounds, position: int) -> bool:
    """Whether a position is in the set."""
    return bisect_left(bounds, position) % 2 == 1


def size(bounds: Bounds) -> int:
    """The number of positions in the set."""
    return sum(bounds[1::2]) - sum(bounds[::2])


def size_up_to(bounds: Bounds, position: int) -> int:
    """The number of positions up to this one in the set."""
    ends = bisect_left(bounds, position)
    sum_ = sum(bounds[1:ends:2]) - sum(bounds[:ends:2])
    return sum_ + position if ends % 2 else sum_


def last(bounds: Bounds, position: int) -> int:
    """The highest position up to this one that is in the set; 0 when there is none."""
    ends = bisect_left(bounds, position)
    if ends % 2:
        return position
    return bounds[ends - 1] if ends else 0


def add(bounds: Bounds, after: int, up_to: int) -> None:
    """Put `after` < position <= `up_to` into the set; touching intervals become one."""
    if after < up_to:
        first, last = bisect_left(bounds, after), bisect_right(bounds, up_to)
        bounds[first:last] = [after][first % 2 :] + [up_to][last % 2 :]


def remove(bounds: Bounds, after: int, up_to: int) -> None:
    """Take `after` < position <= `up_to` out of the set."""
    if after < up_to:
        first, last = bisect_left(bounds, after), bisect_right(bounds, up_to)
        bounds[first:last] = [after][: first % 2] + [up_to][: last % 2]


def union(bounds: Bounds, other: Bounds) -> Bounds:
    """The positions in either set. Linear in both, because Python's sort merges sorted runs."""
    result: Bounds = []
    for after, up_to in sorted([*pairs(bounds), *pairs(other)]):
        if result and after <= result[-1]:
            result[-1] = max(result[-1], up_to)
        else:
            result += (after, up_to)
    return result


def put(bounds: Bounds, other: Bounds) -> None:
    """Put the second set into the first. A single interval takes logarithmic time to find."""
    if len(other) == 2:  # noqa: PLR2004 - a single interval
        add(bounds, *other)
    elif other:
        bounds[:] = union(bounds, other)


def take(bounds: Bounds, other: Bounds) -> None:
    """Take the second set out of the first. A single interval takes logarithmic time to find."""
    if len(other) == 2:  # noqa: PLR2004 - a single interval
        remove(bounds, *other)
    elif other:
        bounds[:] = minus(bounds, other)


def minus(bounds: Bounds, other: Bounds) -> Bounds:
    """The positions in the first set but not in the second."""
    result: Bounds = []
    for low, high in pairs(bounds):
        # An odd number of boundaries before a position means that it is in the other set.
        first, last = bisect_right(other, low), bisect_left(other, high)
        result += [low][first % 2 :] + other[first:last] + [high][last % 2 :]
    return result


def common(bounds: Bounds, other: Bounds) -> Bounds:
    """The positions in both sets."""
    result: Bounds = []
    for low, high in pairs(bounds):
        first, last = bisect_right(other, low), bisect_left(other, high)
        result += [low][: first % 2] + other[first:last] + [high][: last % 2]
    return result


def below(bounds: Bounds, position: int) -> Bounds:
    """The positions up to this one that are in the set."""
    ends = bisect_left(bounds, position)
    return [*bounds[:ends], position] if ends % 2 else bounds[:ends]


def above(bounds: Bounds, position: int) -> Bounds:
    """The positions after this one that are in the set."""
    ends = bisect_right(bounds, position)
    return [position, *bounds[ends:]] if ends % 2 else bounds[ends:]


def of(positions: Iterable[int]) -> Bounds:
    """The set of single positions, given in any order."""
    bounds: Bounds = []
    for position in sorted(positions):
        if bounds and bounds[-1] >= position - 1:
            bounds[-1] = max(bounds[-1], position)
        else:
            bounds += (position - 1, position)
    return bounds


def up_to(position: int) -> Bounds:
    """Every position up to this one."""
    return [0, position] if position > 0 else []
