"""The values that hypothesis chooses from."""

from typing import Literal, NamedTuple

from hypothesis import strategies as st

from tests.inbox_model.terms import To
from tidings.protocol.frames import State

USERS = ("ana", "bob", "carl")
GROUPS = ("blue", "red")
GATEWAYS = 2
OPEN_DEVICES = 5
DEVICES = 9
REFUSED = 2

users = st.sampled_from(USERS)
groups = st.sampled_from(GROUPS)
gateways = st.integers(0, GATEWAYS - 1)
pick = st.integers(0, 11)
categories = st.sampled_from([None, "orders.new", "orders.paid", "chat"])

states: st.SearchStrategy[State] = st.sampled_from(
    ["seen", "read", "read", "unread", "unseen", "archived", "unarchived"]
)


class Wish(NamedTuple):
    """A mark before its notifications are known: those picked, up to them, or all.

    `strange` adds unknown ids, or positions past the end.
    """

    state: State
    how: Literal["ids", "up to", "all"]
    picked: tuple[int, ...]
    category: str | None
    strange: bool


wishes = st.builds(
    Wish,
    states,
    st.sampled_from(["ids", "ids", "up to", "all"]),
    st.lists(pick, min_size=1, max_size=4).map(tuple),
    st.sampled_from([None, "orders.", "orders.new", "chat"]),
    st.sampled_from([False, False, True]),
)
several_wishes = st.lists(wishes, min_size=1, max_size=3)
excludes = st.one_of(st.just(frozenset[str]()), st.frozensets(users, min_size=1, max_size=2))


def _several(names: st.SearchStrategy[str], fewest: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(names, unique=True, min_size=fewest).map(tuple)


compounds = st.tuples(_several(users, 0), _several(groups, 1), excludes).map(
    lambda to: To(users=to[0], groups=to[1], exclude=to[2])
)
targets = st.one_of(
    users.map(lambda user: To(users=(user,))),
    st.tuples(groups, excludes).map(lambda to: To(groups=(to[0],), exclude=to[1])),
    excludes.map(lambda exclude: To(all=True, exclude=exclude)),
    compounds,
    st.tuples(_several(users, 2), excludes).map(lambda to: To(users=to[0], exclude=to[1])),
)
# Seconds; rare, because a test has to wait for the expiry.
expiries = st.sampled_from([None] * 11 + [2])


def shown(to: To) -> str:
    """A target in words."""
    words = ["all"] if to.all else [*to.users, *(f"group {group}" for group in to.groups)]
    return " + ".join(words) + (f" without {', '.join(sorted(to.exclude))}" if to.exclude else "")
