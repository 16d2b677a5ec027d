"""Ids name the partition of their record, and no two things share a key."""

import re
import time
import uuid
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.sending import notification
from tidings_workers.store import Idempotency, Store
from tidings_workers.store.ids import derived_id, milliseconds_of_id, new_id, partition_of_id
from tidings_workers.store.key_parts import LogPart, RecordPart
from tidings_workers.store.keys import (
    PARTITIONS_MAXIMUM,
    Keys,
    Record,
    closings,
    feed,
    index,
    ingress,
    ingress_number,
    key_of,
    lease,
    poisoned,
    probe,
    tenant_groups,
    tenant_keys,
    tenant_sends,
    unfinished,
)

MOMENTS = st.integers(0, 2**48 - 1)
PARTITIONS = st.integers(0, PARTITIONS_MAXIMUM - 1)
Thing = tuple[tuple[str, ...], str]
# Few letters, among them those that are special to Redis or to our keys, so that clashes are likely.
IDS = st.text("au.:-@+_|=~", min_size=1, max_size=4).filter(lambda text: text not in {".", ".."})
TENANTS = st.text("au-", min_size=1, max_size=3)


@given(MOMENTS, PARTITIONS)
def test_id_is_uuid_7(moment: int, partition: int) -> None:
    """A notification's id is a UUIDv7 of its moment and names the partition of its record."""
    made = new_id(moment, partition)
    parsed = uuid.UUID(made)
    assert (str(parsed), parsed.version, parsed.variant) == (made, 7, uuid.RFC_4122)
    assert (milliseconds_of_id(made), partition_of_id(made)) == (moment, partition)


@given(st.binary(min_size=16, max_size=16), st.integers(0, 999), MOMENTS, PARTITIONS)
def test_derived_ids(seed: bytes, index: int, moment: int, partition: int) -> None:
    """The ids of a claimed request are the same at every retry, and all different."""
    made = derived_id(seed, index, moment, partition)
    assert made == derived_id(seed, index, moment, partition)
    assert made != derived_id(seed, index + 1, moment, partition)
    assert (uuid.UUID(made).version, partition_of_id(made)) == (7, partition)


@given(st.text(max_size=40) | st.uuids().map(str))
def test_other_texts_are_no_ids(text: str) -> None:
    """A text that is no id of ours has no partition."""
    found = partition_of_id(text)
    assert (found is not None) == bool(
        re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", text)
    )


def test_ids_do_not_repeat() -> None:
    """Ids of one millisecond differ."""
    assert len({new_id(1, 2) for _ in range(50_000)}) == 50_000


@st.composite
def things(draw: st.DrawFn) -> Thing:
    """A thing that the store keeps, and its key."""
    keys = Keys(2)
    kind = draw(st.sampled_from(("user", "group", "all", "claim", "record", "feed", "fixed")))
    tenant, name = draw(TENANTS), draw(IDS)
    if kind in {"user", "group", "all"}:
        log = keys.all(tenant) if kind == "all" else getattr(keys, kind)(tenant, name)
        part = draw(st.sampled_from(("", *get_args(LogPart))))
        thing = (kind, tenant, "" if kind == "all" else name, part)
        return thing, log.key(part) if part else log.root
    if kind == "claim":
        partition, key = keys.claim(tenant, name)
        return (kind, tenant, name), key_of(partition, key)
    partition = draw(st.integers(0, 1))
    if kind == "record":
        part = draw(st.sampled_from(("", *get_args(RecordPart))))
        record = Record(partition, tenant, name)
        return (kind, str(partition), tenant, name, part), record.key(part) if part else record.root
    if kind == "feed":
        return (kind, str(partition), name), feed(partition, name)
    fixed = draw(
        st.sampled_from(
            (
                ingress(partition),
                lease(partition),
                unfinished(partition),
                ingress_number(partition),
                poisoned(partition),
                probe(partition),
            )
        )
    )
    return (kind, fixed), fixed


@settings(max_examples=300)
@given(things(), things())
def test_no_two_things_share_a_key(
    one: tuple[tuple[str, ...], str], other: tuple[tuple[str, ...], str]
) -> None:
    """Different things never have the same key, whatever their ids."""
    assert (one[0] == other[0]) == (one[1] == other[1])


def test_keys_of_layout_3() -> None:
    """Each key has the form of layout 3 of the store."""
    keys = Keys(1)
    ana, team, everyone = keys.user("demo", "ana"), keys.group("demo", "team"), keys.all("demo")
    record = Record(7, "demo", "id")
    assert [ana.root, team.root, everyone.root] == ["{p0}/u/demo/ana", "{p0}/g/demo/team", "{p0}/a/demo"]
    assert ana.key("times", team.base) == "{p0}/u/demo/ana/times/g/demo/team"
    assert team.key("members") == "{p0}/g/demo/team/members"
    assert [record.root, record.key("plan")] == ["{p7}/n/demo/id", "{p7}/n/demo/id/plan"]
    assert key_of(7, record.base_of_part("00ff")) == "{p7}/n/demo/id/part/00ff"
    assert keys.claim("demo", "key") == (0, "i/demo/82af27c64245bfd15a520134b44e6bb1")
    assert [ingress(7), unfinished(7), ingress_number(7)] == [
        "{p7}/ingress",
        "{p7}/unfinished",
        "{p7}/partition",
    ]
    assert [poisoned(7), probe(7), lease(7)] == ["{p7}/poisoned", "{p7}/probe", "{p7}/lease"]
    assert [feed(7, "a"), index(7, "a"), closings(7, "a")] == [
        "{p7}/feed/a",
        "{p7}/connections/a",
        "{p7}/closing/a",
    ]
    assert tenant_groups(7, "demo") == "{p7}/groups/demo"
    assert tenant_sends(7, "demo") == "{p7}/sent/demo"
    assert tenant_keys("demo") == "{tidings}/keys/demo"


@given(TENANTS, IDS)
def test_base_names_its_log(tenant: str, name: str) -> None:
    """A base gives its log, with tenant and group."""
    keys = Keys(16)
    for log, group in (
        (keys.user(tenant, name), None),
        (keys.group(tenant, name), name),
        (keys.all(tenant), None),
    ):
        assert keys.of(log.base) == log
        assert (log.tenant, log.group) == (tenant, group)
        assert log.is_own == (log.name == "user")


@given(TENANTS, IDS, st.integers(1, 1024))
def test_partitions_are_in_range(tenant: str, name: str, partitions: int) -> None:
    """Every log is in one partition of the store, always the same."""
    keys = Keys(partitions)
    for log in (keys.user(tenant, name), keys.group(tenant, name), keys.all(tenant)):
        assert 0 <= log.partition < partitions
    assert keys.user(tenant, name) == Keys(partitions).user(tenant, name)


async def test_ids_find_their_records(store: Store) -> None:
    """An id finds its record, whatever the target, and an unknown id finds none."""
    sent = [
        notification("x", users=["ana"]),
        notification("x", to_all=True),
        notification("x", users=["ana", "bob"]),
        notification("x", groups=["nobody"]),
    ]
    before = time.time_ns() // 1_000_000
    for idempotency in (None, Idempotency("key", b"digest")):
        accepted = await store.sends.send("demo", sent, idempotency=idempotency)
        for identity in accepted.ids:
            record = await store.sends.notification("demo", identity)
            assert record is not None
            assert record.accepted_at == accepted.accepted_at == milliseconds_of_id(identity) >= before
    assert await store.sends.notification("demo", new_id(1, 4095)) is None
    assert await store.sends.notification("demo", "../../meta") is None
    assert await store.sends.recall("demo", new_id(1, 3)) is False
