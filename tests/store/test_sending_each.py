"""Several requests in one call of the store have the effect of one after another."""

from typing import Any

import pytest

from tests.support.interrupted import killed_sending
from tests.support.sending import notification, titles
from tidings_workers.config import Settings
from tidings_workers.store import (
    Acceptance,
    Idempotency,
    IdempotencyInProgress,
    IdempotencyMismatch,
    Store,
)


def named(key: str, digest: bytes = b"digest") -> Idempotency:
    return Idempotency(key, digest)


async def test_requests_keep_their_order(store: Store) -> None:
    """Requests to one log, with keys and without, are in it in their order, each with its own id."""
    requests = [
        (notification(str(index), users=["ana"]), named(f"k{index}") if index % 3 else None)
        for index in range(30)
    ]
    outcomes = await store.sends.send_each("demo", requests)
    assert await titles(store, "ana") == [str(index) for index in range(29, -1, -1)]
    ids = [outcome.ids[0] for outcome in outcomes if isinstance(outcome, Acceptance)]
    assert len(set(ids)) == 30


async def test_each_key_is_judged_alone(store: Store) -> None:
    """A repetition gets the first answer, a mismatch its error, and the other requests are sent."""
    hello = notification("hello", users=["ana"])
    first = await store.sends.send("demo", [hello], idempotency=named("a"))
    again, mismatch, new, twin = await store.sends.send_each(
        "demo",
        [
            (hello, named("a")),
            (hello, named("a", b"another")),
            (notification("new", users=["ana"]), named("b")),
            (notification("new", users=["ana"]), named("b")),
        ],
    )
    assert isinstance(again, Acceptance)
    assert again.replayed
    assert (again.ids, again.accepted_at) == (first.ids, first.accepted_at)
    # The first request with this key is running: it is the one before.
    assert isinstance(mismatch, IdempotencyInProgress)
    assert isinstance(new, Acceptance)
    assert not new.replayed
    assert isinstance(twin, IdempotencyInProgress)
    (later,) = await store.sends.send_each("demo", [(hello, named("a", b"another"))])
    assert isinstance(later, IdempotencyMismatch)
    assert await titles(store, "ana") == ["new", "hello"]


async def test_a_killed_send_is_completed_once(store: Store, settings: Settings) -> None:
    """Requests whose process was killed after their claims are accepted once when they are repeated."""
    killed_sending(settings, [notification("one", users=["ana"])], script="accept_one", key="one")
    requests = [(notification(title, users=["ana"]), named(title)) for title in ("zero", "one", "two")]
    for _ in range(2):
        assert all(isinstance(each, Acceptance) for each in await store.sends.send_each("demo", requests))
    assert await titles(store, "ana") == ["two", "one", "zero"]


@pytest.mark.parametrize("keyed", [False, True])
async def test_requests_share_calls(store: Store, monkeypatch: pytest.MonkeyPatch, *, keyed: bool) -> None:
    """Fifty requests take at most one call per partition for their claims, and one for their entries."""
    calls: list[Any] = []
    run = store._core.run

    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments[0])
        return run(*arguments, **options)

    monkeypatch.setattr(store._core, "run", counted)
    await store.sends.send_each(
        "demo",
        [
            (notification("x", users=[f"user-{index}"]), named(str(index)) if keyed else None)
            for index in range(50)
        ],
    )
    assert len(calls) <= store.partitions * (2 if keyed else 1)
