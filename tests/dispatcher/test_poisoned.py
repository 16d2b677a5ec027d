"""The dispatcher sets aside entries that it cannot carry out, and carries out the others."""

from tests.support.dispatching import waiting
from tests.support.sending import eventually, notification, titles
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import Store
from tidings_workers.store.ids import partition_of_id
from tidings_workers.store.keys import Record, tag


async def test_unreadable_entries(store: Store) -> None:
    """Dispatchers keep unreadable entries for an operator and carry out the entries behind them."""
    call = store.redis.execute_command
    garbage = [b"\xc1", b"", b"\x91\x92\xa1c\x01", b"\x91\xa2\xff\xfe", b"\x91" * 5_000]
    for partition in range(store.partitions):
        for number, entry in enumerate(garbage):
            await call("XADD", f"{tag(partition)}/ingress", f"{number + 1}-0", "o", entry)
        await call("XADD", f"{tag(partition)}/ingress", "10-0", "unknown", b"")
    sent = [notification(str(number), users=["ana", f"b{number}"], groups=["none"]) for number in range(30)]
    await store.sends.send("demo", sent)
    running = Dispatcher(store)
    await running.beat()
    await eventually(lambda: waiting(store), 0)
    await running.close()
    assert sorted(await titles(store, "ana"), key=int) == [str(number) for number in range(30)]
    for partition in range(store.partitions):
        aside = await call("HGETALL", f"{tag(partition)}/poisoned")
        assert {int(entry): what for entry, what in aside.items()} == dict(enumerate(garbage, 1)) | {10: b""}


async def test_unreadable_record(store: Store) -> None:
    """A compound notification with a broken record does not stop the others of its partition."""
    sent = [notification(str(number), users=["ana", "bob"], groups=["none"]) for number in range(40)]
    accepted = await store.sends.send("demo", sent)
    broken = accepted.ids[0]
    partition = partition_of_id(broken)
    assert partition is not None
    key = Record(partition, "demo", broken).root
    await store.redis.execute_command("SETRANGE", key, 53, b"\xff{")
    running = Dispatcher(store)
    await running.beat()
    await eventually(lambda: waiting(store), 0)
    await running.close()
    assert sorted(await titles(store, "bob"), key=int) == [str(number) for number in range(1, 40)]
    assert await store.redis.execute_command("HLEN", f"{tag(partition)}/poisoned") == 1
