"""The account of the other tests: it finds each fault, and reports no fault without one."""

from tests.support.listening import Arrival, Listener
from tests.support.stack import Installation
from tests.support.traffic import Account, Send, missing, out_of_order, wrongs
from tidings import Message


def account(*audiences: str) -> Account:
    """Sends 0, 1, 2 ... to these users' own logs, all acknowledged; their ids are `id-0` and so on."""
    made = Account()
    for n, user in enumerate(audiences):
        made.acknowledge(Send(n, Message(title=str(n)), frozenset({user}), "user"), f"id-{n}")
    return made


def listener(user: str, *numbers: int, log: str = "user") -> Listener:
    """A listener that received these sends in this order."""
    made = Listener(Installation("", "", ""), user)
    for position, n in enumerate(numbers, 1):
        made.arrivals.append(Arrival(log, position, n, f"id-{n}"))
        made.counts[n] += 1
    return made


def test_a_right_result_has_no_fault() -> None:
    """Each copy once and in order, and sends with an unknown outcome, stored or not, give no fault."""
    made = account("ana", "ana", "bob")
    made.unknown[7] = Send(7, Message(title="7"), frozenset({"ana", "bob"}), None)
    listeners = [listener("ana", 0, 1, 7), listener("bob", 2)]
    assert (missing(listeners, made), wrongs(listeners, made)) == ([], [])
    assert out_of_order([listener("ana", 0, 1), listener("bob", 2)], made) == []


def test_each_fault_is_named() -> None:
    """A missing, repeated, foreign, misplaced or unordered copy is found."""
    made = account("ana", "ana", "bob")
    assert missing([listener("ana", 1)], made) == ["ana: 1 missing, the first 0"]
    assert wrongs([listener("ana", 0, 1, 1)], made) == ["ana got 1 2 times"]
    assert wrongs([listener("ana", 0, 1, 2)], made) == ["ana got 2, sent to others"]
    assert len(wrongs([listener("ana", 0, log="all")], made)) == 1
    assert out_of_order([listener("ana", 1, 0)], made) == ["ana in user: 1 before 0"]
