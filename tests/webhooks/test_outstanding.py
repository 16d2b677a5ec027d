"""The accounts of a lane: order per user, and positions that pass no event without an outcome."""

import random

import pytest

from tidings_workers.store.webhooks import Delivery
from tidings_workers.webhooks.outstanding import Batch, Outstanding, Part


def delivery(user: str) -> Delivery:
    """A delivery of an event about a user."""
    return Delivery("message.received", 0, user)


@pytest.mark.parametrize("seed", range(20))
def test_positions_pass_no_event_without_an_outcome(seed: int) -> None:
    """Outcomes are stored in any order: positions rise, and stop before the first event without one."""
    chance = random.Random(seed)
    outstanding = Outstanding()
    number, stored, last = 0, set[int](), 0
    begun, noted = list[str](), list[int]()
    for _ in range(30):
        batch = Batch(positions={})
        for _ in range(chance.randrange(5)):
            number += 1
            user = outstanding.add(batch, str(number), delivery(f"u{chance.randrange(4)}"), b"")
            if user is not None:
                begun.append(user)
        batch.positions = {0: number}
        outstanding.read(batch)
        for _ in range(chance.randrange(8)):
            if begun:
                user = begun.pop(chance.randrange(len(begun)))
                task = outstanding.first(user)
                if task is not None:
                    noted.append(int(task.id))
                    outstanding.pop(user)
                    begun.append(user)
        positions = outstanding.stored(map(str, noted))
        stored |= set(noted)
        noted.clear()
        assert outstanding.new >= len(outstanding)
        if positions is not None:
            assert last <= positions[0]
            last = positions[0]
            assert set(range(1, last + 1)) <= stored
    assert last > 0


def test_one_event_of_two_parts() -> None:
    """An event of a replay that is also new is delivered once, and both parts wait for it."""
    outstanding = Outstanding()
    replay, batch = Part(), Batch(positions={0: 1})
    assert outstanding.add(replay, "1", delivery("ana"), b"") == "ana"
    assert outstanding.add(batch, "1", delivery("ana"), b"") is None
    outstanding.read(batch)
    outstanding.pop("ana")
    assert outstanding.first("ana") is None
    assert outstanding.stored([]) is None
    assert (replay.left, batch.left) == (1, 1)
    assert outstanding.stored(["1"]) == {0: 1}
    assert (replay.left, batch.left, len(outstanding)) == (0, 0, 0)


def test_chains() -> None:
    """The deliveries of a user are one chain in order; an event without a user has its own chain."""
    outstanding, part = Outstanding(), Part()
    begun = [
        outstanding.add(part, each, delivery(user), b"")
        for each, user in (("1", "ana"), ("2", "ana"), ("3", ""))
    ]
    assert begun == ["ana", None, "/3"]
    found = []
    while (task := outstanding.first("ana")) is not None:
        found.append(task.id)
        outstanding.pop("ana")
    assert found == ["1", "2"]
    assert outstanding.add(part, "4", delivery("ana"), b"") == "ana"
