"""Subscriptions to topics: replay, gaps, rights, publishing, receipts, and what they cost."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from tests.store.test_retention import sweep
from tests.support.ports import free_port
from tests.support.realtime import Client, Realtime, delivered, masked, running_gateway
from tests.support.sending import eventually, notification
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.store import Store
from tidings_workers.store.keys import feed, interest

MAY: dict[str, Any] = {"topics": ["news", "news/**", "talk"], "publish": ["talk"]}
NEWS = "topic:news"


async def send(store: Store, *titles: str, topics: tuple[str, ...] = ("news",), **fields: Any) -> list[str]:
    sent = [notification(each, topics=topics, **fields) for each in titles]
    return (await store.sends.send("demo", sent)).ids


async def subscribe(client: Client, topic: str = "news", **fields: Any) -> dict[str, Any]:
    await client.send("subscribe", topic=topic, **fields)
    return await client.expect("subscribed")


def errors(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["code"] for frame in frames if frame["type"] == "error"]


async def test_a_subscription_gets_what_comes(realtime: Realtime, store: Store) -> None:
    """A subscriber gets the sends after its subscription in order, once, and not those of other topics."""
    await send(store, "before")
    async with realtime.user("ana", claims=MAY) as client:
        assert "topic:news" not in client.frames[0]["positions"]
        assert await subscribe(client, ref=1) == {
            "type": "subscribed", "topic": "news", "log": NEWS, "position": 1, "ref": 1,
        }  # fmt: skip
        await send(store, "one", "two")
        await send(store, "elsewhere", topics=("news/sport",))
        await send(store, "both", topics=("news", "news/sport"))
        assert await client.titles(3) == ["one", "two", "both"]
        assert delivered(client.frames) == [(NEWS, 2), (NEWS, 3), (NEWS, 4)]
        await client.send("unsubscribe", topic="news", ref="bye")
        assert await client.expect("unsubscribed") == {"type": "unsubscribed", "topic": "news", "ref": "bye"}
        await send(store, "after")
        assert await client.settle() == []


async def test_subscribing_twice_changes_nothing(realtime: Realtime, store: Store) -> None:
    """A second subscription to the same topic is answered with the position, and nothing is sent twice."""
    async with realtime.user("ana", claims=MAY) as client:
        await subscribe(client)
        await send(store, "one")
        assert await client.titles(1) == ["one"]
        assert (await subscribe(client, after=0))["position"] == 1
        await send(store, "two")
        assert await client.titles(1) == ["two"]
        assert await client.settle() == []


@pytest.mark.parametrize(
    ("fields", "start", "replayed"),
    [({"after": 0}, 0, 5), ({"after": 3}, 3, 2), ({"after": 5}, 5, 0), ({"rewind": 2}, 3, 2),
     ({"rewind": 0}, 5, 0), ({"rewind": 200}, 0, 5)],
)  # fmt: skip
async def test_replay(
    realtime: Realtime, store: Store, fields: dict[str, Any], start: int, replayed: int
) -> None:
    """`after` and `rewind` replay in order, then `caught_up` has that log alone, then new ones come."""
    await send(store, *map(str, range(1, 6)))
    async with realtime.user("ana", claims=MAY) as client:
        assert (await subscribe(client, **fields))["position"] == start
        frames = await client.until("caught_up")
        assert delivered(frames) == [(NEWS, position) for position in range(6 - replayed, 6)]
        assert all(frame["replayed"] for frame in frames[:-1])
        assert frames[-1]["positions"] == {NEWS: 5}
        await send(store, "new")
        frame = await client.expect("notification")
        assert (frame["position"], "replayed" in frame) == (6, False)


async def test_gaps(realtime: Realtime, store: Store) -> None:
    """A gap names the positions that the retention removed; one past the end starts at the end."""
    await send(store, *"abc")
    await sweep(store, days=2)
    await send(store, "new")
    async with realtime.user("ana", claims=MAY) as client:
        await subscribe(client, after=1)
        gap = await client.expect("gap")
        assert gap == {"type": "gap", "log": NEWS, "from": 2, "to": 3, "missed": 2, "reason": "expired"}
        assert delivered(await client.until("caught_up")) == [(NEWS, 4)]
    async with realtime.user("ana", claims=MAY) as client:
        assert (await subscribe(client, after=90))["position"] == 4
        gap = await client.expect("gap")
        assert (gap["missed"], gap["reason"], gap["to"]) == (None, "epoch", 4)


async def test_resume_subscribes_again(realtime: Realtime, store: Store) -> None:
    """A resume that names topics subscribes to them again and replays; a forbidden one is ended."""
    await send(store, "one", "two")
    async with realtime.user("ana", claims=MAY) as client:
        epoch = client.frames[0]["epoch"]
    positions = {"user": 0, "all": 0, NEWS: 1, "topic:secret": 4, "topic:a/../b": 1}
    async with realtime.user("ana", claims=MAY, resume={"epoch": epoch, "positions": positions}) as client:
        assert client.frames[0]["resume"] == "complete"
        await client.until("caught_up")
        frames = [await client.next() for _ in range(5)]
        of_news = [frame["type"] for frame in frames if frame["type"] != "unsubscribed"]
        assert of_news == ["subscribed", "notification", "caught_up"]
        assert delivered(frames) == [(NEWS, 2)]
        ended = [frame for frame in frames if frame["type"] == "unsubscribed"]
        assert [frame["reason"] for frame in ended] == ["forbidden", "forbidden"]
    async with realtime.user("ana", claims=MAY, resume={"epoch": "x", "positions": {NEWS: 1}}) as client:
        frames = await client.settle()
        gap = next(frame for frame in frames if frame["type"] == "gap" and frame["log"] == NEWS)
        assert (gap["reason"], gap["missed"]) == ("epoch", None)
        while not any(frame["type"] == "caught_up" and frame["positions"] == {NEWS: 2} for frame in frames):
            frames.append(await client.next())
        await send(store, "three")
        assert await client.titles(1) == ["three"]


async def test_errors(realtime: Realtime) -> None:
    """A topic that is forbidden, invalid or one too many is refused with its code; the connection stays."""
    async with realtime.user("ana", claims={"topics": ["a", "many/*"]}) as client:
        for topic in ("b", "a/b", "many"):
            await client.send("subscribe", topic=topic, ref=topic)
        for topic in ("", "a/../b", "a//b", "a%2Fb", "*", "**", "a*", "á", "a\u2215b", "a" * 201, "a\n"):
            await client.send("subscribe", topic=topic)
        await client.send("publish", topic="a", notification={"title": "x"})
        await client.send("publish", topic="..", notification={"title": "x"})
        await client.send("unsubscribe", topic="..")
        await client.send("subscribe", topic="a", after=1, rewind=1)
        await client.send("subscribe", topic="a", after=-1)
        frames = await client.settle()
        while len(errors(frames)) < 19:
            frames.append(await client.next())
        found = errors(frames)
        assert found.count("invalid_topic") == 13
        assert found.count("forbidden_topic") == 4
        assert found.count("invalid_request") == 2
        for number in range(101):
            await client.send("subscribe", topic=f"many/{number}", ref=number)
            assert (await client.next())["type"] == ("subscribed" if number < 100 else "error")
        assert (client.frames[-1]["code"], client.frames[-1]["ref"]) == ("too_many_topics", 100)
        await client.send("unsubscribe", topic="many/5")
        await client.expect("unsubscribed")
        assert (await subscribe(client, "many/100"))["position"] == 0


async def test_tenants_are_apart(realtime: Realtime, store: Store) -> None:
    """A topic of another tenant with the same name is another topic."""
    async with realtime.user("ana", tenant="other", claims=MAY) as client:
        await subscribe(client)
        await send(store, "not for you")
        assert await client.settle() == []


async def test_open_topics(realtime: Realtime, store: Store, registry: Registry) -> None:
    """A tenant's open topics need no claim, `{sub}` is the user, and closing one ends its subscriptions."""
    await registry.update_tenant("demo", open_topics=["public/**", "user/{sub}"])
    async with realtime.user("ana|1") as client:

        async def allowed() -> str:
            await client.send("subscribe", topic="public/a")
            return str((await client.next())["type"])

        await eventually(allowed, "subscribed")
        await subscribe(client, "user/ana|1")
        await client.send("subscribe", topic="user/bob", ref=1)
        assert (await client.expect("error"))["code"] == "forbidden_topic"
        await send(store, "hello", topics=("public/a", "user/ana|1"))
        assert await client.titles(2) == ["hello", "hello"]
        await registry.update_tenant("demo", open_topics=["user/{sub}"])
        ended = await client.expect("unsubscribed")
        assert ended == {"type": "unsubscribed", "topic": "public/a", "reason": "forbidden"}
        await send(store, "again", topics=("public/a", "user/ana|1"))
        assert (await client.expect("notification"))["log"] == "topic:user/ana|1"
        assert await client.settle() == []


async def test_a_refreshed_token_without_the_topic_ends_it(realtime: Realtime, store: Store) -> None:
    """The topics that a new token does not allow end with `forbidden`; the others stay."""
    async with realtime.user("ana", claims=MAY) as client:
        await subscribe(client)
        await subscribe(client, "talk")
        await client.send("refresh", token=realtime.token("ana", topics=["talk"]))
        await client.expect("refreshed")
        ended = await client.expect("unsubscribed")
        assert ended == {"type": "unsubscribed", "topic": "news", "reason": "forbidden"}
        await send(store, "for talk", topics=("news", "talk"))
        frame = await client.expect("notification")
        assert frame["log"] == "topic:talk"


async def test_publish(realtime: Realtime, store: Store) -> None:
    """A client with the claim publishes, in order, to subscribers; faults name the field."""
    async with realtime.user("ana", claims=MAY) as writer, realtime.user("bob", claims=MAY) as reader:
        await subscribe(reader, "talk")
        for number in range(5):
            fields = {"title": str(number), "data": {"n": number}}
            await writer.send("publish", topic="talk", notification=fields, ref=number)
        answers = [await writer.expect("published") for _ in range(5)]
        assert [each["ref"] for each in answers] == list(range(5))
        frames = [await reader.expect("notification") for _ in range(5)]
        assert [frame["notification"]["id"] for frame in frames] == [each["id"] for each in answers]
        assert [frame["notification"]["data"] for frame in frames] == [{"n": number} for number in range(5)]
        await writer.send("publish", topic="news", notification={"title": "x"}, ref="a")
        assert (await writer.expect("error"))["code"] == "forbidden_topic"
        for wrong in ({}, {"title": 1}, {"to": {"all": True}, "title": "x"}, {"title": "x", "bogus": 1}):
            await writer.send("publish", topic="talk", notification=wrong, ref="b")
            error = await writer.expect("error")
            assert (error["code"], error["ref"]) == ("invalid_request", "b")
            assert "#/notification" in error["detail"]
            assert error["errors"][0]["pointer"].startswith("#/notification")
        await writer.send("publish", topic="talk", notification={"title": "x" * 40_000}, ref="c")
        assert (await writer.expect("error"))["code"] == "too_large"
        assert await reader.settle() == []


async def test_acknowledgements_count_connections(realtime: Realtime, store: Store) -> None:
    """`delivered` counts each connection that acknowledged, once, up to what it was sent."""
    (first, second) = await send(store, "one", "two")

    async def counted() -> list[int]:
        found = [await store.sends.notification("demo", each) for each in (first, second)]
        return [each.delivered for each in found if each is not None]

    async with realtime.user("ana", claims=MAY) as ana, realtime.user("ana", claims=MAY) as again:
        await subscribe(ana, after=0)
        await subscribe(again, after=1)
        for client in (ana, again):
            await client.until("caught_up")
        await ana.send("ack", positions={NEWS: 1})
        await again.send("ack", positions={NEWS: 99, "topic:other": 5, "topic:..": 1})
        await eventually(counted, [1, 1])
        for _ in range(2):
            await ana.send("ack", positions={NEWS: 2})
        await eventually(counted, [1, 2])
    record = await store.sends.notification("demo", first)
    assert record is not None
    assert (record.recipients, record.seen, record.read) == (None, 0, 0)


async def test_a_recall_reaches_subscribers(realtime: Realtime, store: Store) -> None:
    """A recalled entry is named to the subscribers that had it, and is not replayed."""
    ids = await send(store, "one", "two")
    async with realtime.user("ana", claims=MAY) as client:
        await subscribe(client, after=0)
        await client.until("caught_up")
        await store.sends.recall("demo", ids[0])
        frame = await client.expect("recalled")
        assert (frame["id"], frame["log"], frame["position"]) == (ids[0], NEWS, 1)
        assert frame["counts"]["unseen"] == 0
    async with realtime.user("ana", claims=MAY) as client:
        await subscribe(client, after=0)
        assert delivered(await client.until("caught_up")) == [(NEWS, 2)]


async def test_the_feed_that_lost_entries_is_healed(realtime: Realtime, store: Store) -> None:
    """Subscribers get the entries that a feed lost, in order and once."""
    async with realtime.user("ana", claims=MAY) as client:
        await subscribe(client)
        log = store.keys.topic("demo", "news")
        await send(store, "one")
        assert await client.titles(1) == ["one"]
        # Without interest the next entry is in no feed; the sweep finds it.
        assert await store._core.call("HDEL", interest(log.partition), log.base) == 1
        await send(store, "two")
        assert await client.titles(1) == ["two"]
        await send(store, "three")
        assert await client.titles(1) == ["three"]


async def test_one_entry_and_one_feed_item_per_gateway(
    settings: Settings, store: Store, realtime: Realtime
) -> None:
    """A send to 200 subscribers on two gateways is one entry and one feed item for each gateway."""
    second = msgspec.structs.replace(settings, realtime_port=free_port())
    async with running_gateway(second):
        other = Realtime(second.realtime_port, realtime.token)
        async with asyncio.TaskGroup() as tasks:
            done, ready = asyncio.Event(), asyncio.Semaphore(0)

            async def listen(place: Realtime, user: str) -> None:
                async with place.user(user, claims=MAY) as client:
                    await subscribe(client)
                    ready.release()
                    assert await client.titles(3) == ["one", "two", "three"]
                    ready.release()
                    await done.wait()

            for number in range(200):
                tasks.create_task(listen((realtime, other)[number % 2], f"u{number}"))
            for _ in range(200):
                await ready.acquire()

            async def subscribers() -> int:
                found = await store.topics.get("demo", "news")
                return found.subscribers if found else 0

            await eventually(subscribers, 200)
            log = store.keys.topic("demo", "news")
            gateways = (await store._core.call("HGET", interest(log.partition), log.base)).decode().split()
            feeds = [feed(log.partition, gateway) for gateway in gateways]
            assert len(feeds) == 2
            before = [len(await store._core.call("XRANGE", key, "-", "+")) for key in feeds]
            for title in ("one", "two", "three"):
                await send(store, title)
            after = [len(await store._core.call("XRANGE", key, "-", "+")) for key in feeds]
            assert [new - old for old, new in zip(before, after, strict=True)] == [3, 3]
            assert await store._core.call("XLEN", log.key("log")) == 3
            for _ in range(200):
                await ready.acquire()
            done.set()
        await eventually(subscribers, 0)


async def test_a_subscriber_that_does_not_read_delays_nobody(realtime: Realtime, store: Store) -> None:
    """While a long topic is replayed to a client that does not read, others get new entries at once."""
    await send(store, *(["x" * 8_000] * 100))
    async with realtime.lazy("ana", claims=MAY) as wire:
        wire.write(masked(json.dumps({"type": "subscribe", "topic": "news", "after": 0})))
        assert (await wire.message())["type"] == "subscribed"
        async with realtime.user("bob", claims=MAY) as client:
            await subscribe(client)
            await send(store, "now")
            assert await client.titles(1) == ["now"]
        seen = [(await wire.message())["position"] for _ in range(100)]
        assert seen == list(range(1, 101))
