"""Topics in the SDK and the command, against the real server."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.support.sending import eventually
from tests.support.stack import Stack, clean_environment
from tidings import (
    AsyncTidings,
    BlockingTopicStream,
    FrameRefusedError,
    InvalidArgumentError,
    ListenError,
    Tidings,
    TopicStream,
)

PATIENCE_SECONDS = 30.0


async def titles(stream: TopicStream, count: int) -> list[str | None]:
    """The titles of the next deliveries."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [(await anext(stream)).notification.title for _ in range(count)]


async def test_a_stream_gives_a_topic(stack: Stack) -> None:
    """`subscribe` gives the last N and then new ones, in order, and nothing of it is in the inbox."""
    async with AsyncTidings(stack.api, key=stack.key) as client:
        for number in range(5):
            await client.send(to_topics="sdk/news", title=str(number))
        async with client.listen(user="t-ana", topics="sdk/**") as inbox:
            async with inbox.subscribe("sdk/news", rewind=2) as news:
                assert await titles(news, 2) == ["3", "4"]
                sent = await client.send(to_topics=["sdk/news", "sdk/other"], title="both")
                assert await titles(news, 1) == ["both"]
                await client.send(to_users="t-ana", title="direct")
                assert (await anext(inbox)).notification.title == "direct"

            async def delivered() -> int:
                found = (await client.get(sent.id)).receipts
                return found.delivered if found else 0

            await eventually(delivered, 1)
            # Closing has ended the subscription; a new one goes on from a position.
            await client.send(to_topics="sdk/news", title="missed")
            async with inbox.subscribe("sdk/news", after=6) as news:
                assert await titles(news, 1) == ["missed"]


async def test_a_resume_point_names_topics(stack: Stack) -> None:
    """A later live inbox with the resume point of an earlier one continues after the handled deliveries."""
    async with AsyncTidings(stack.api, key=stack.key) as client:
        await client.send(to_topics="sdk/resume", title="first")
        async with client.listen(user="t-bob", topics="sdk/**") as inbox:
            async with inbox.subscribe("sdk/resume", after=0) as stream:
                assert await titles(stream, 1) == ["first"]
            point = inbox.resume_point()
        for title in ("second", "third"):
            await client.send(to_topics="sdk/resume", title=title)
        async with client.listen(user="t-bob", topics="sdk/**", resume=point) as inbox:
            stream = inbox.subscribe("sdk/resume", after=1)
            assert await titles(stream, 2) == ["second", "third"]


async def test_refusals(stack: Stack) -> None:
    """A topic that the token does not allow, a name that is none, and a second stream are refused."""
    async with (
        AsyncTidings(stack.api, key=stack.key) as client,
        client.listen(user="t-eve", topics=["sdk/mine", "many/*"]) as inbox,
    ):
        with pytest.raises(FrameRefusedError, match="forbidden_topic"):
            await anext(inbox.subscribe("sdk/other"))
        with pytest.raises(FrameRefusedError, match="forbidden_topic"):
            async with inbox.subscribe("sdk/other"):
                pass
        with pytest.raises(InvalidArgumentError, match="not the name of a topic"):
            await anext(inbox.subscribe("a/../b"))
        async with inbox.subscribe("sdk/mine"):
            with pytest.raises(InvalidArgumentError, match="already"):
                await anext(inbox.subscribe("sdk/mine"))


def test_blocking_sends_and_wrong_targets(stack: Stack) -> None:
    """The blocking client sends to topics; topics with another target are refused here."""
    with Tidings(stack.api, key=stack.key) as client:
        sent = client.send(to_topics="sdk/blocking", title="x")
        found = client.get(sent.id)
        assert (found.status, found.to.topics) == ("stored", ("sdk/blocking",))
        for wrong in ({"to_users": "ana"}, {"to_all": True}, {"exclude": "ana"}):
            with pytest.raises(InvalidArgumentError, match="to_topics alone"):
                client.send(to_topics="sdk/blocking", title="x", **wrong)
        with pytest.raises(InvalidArgumentError, match="not the name of a topic"):
            client.send(to_topics="a//b", title="x")
        token = client.tokens.create("t-ana", topics=["sdk/**"], publish="sdk/chat")
        assert token.token.count(".") == 2
        with pytest.raises(InvalidArgumentError, match="not a pattern"):
            client.tokens.create("t-ana", topics=["**/a"])


def test_a_blocking_stream(stack: Stack) -> None:
    """A blocking inbox gives a topic as an asynchronous one does, and closing ends the iteration."""
    with Tidings(stack.api, key=stack.key) as client:
        for number in range(3):
            client.send(to_topics="sdk/for", title=str(number))
        with client.listen(user="t-tom", topics="sdk/**") as inbox:
            with inbox.subscribe("sdk/for", rewind=2) as stream:
                assert stream.topic == "sdk/for"
                found = [delivery.notification.title for delivery in stream.deliveries(timeout=1)]
                assert found == ["1", "2"]
                client.send(to_topics="sdk/for", title="3")
                delivery = stream.next(timeout=PATIENCE_SECONDS)
                assert (delivery.notification.title, delivery.log, delivery.position) == (
                    "3",
                    "topic:sdk/for",
                    4,
                )
                delivery.ack()
                with pytest.raises(TimeoutError):
                    stream.next(timeout=0.05)
            assert list(stream) == []
            with pytest.raises(ListenError, match="closed"):
                stream.next()
            with pytest.raises(FrameRefusedError, match="forbidden_topic"), inbox.subscribe("other"):
                pass
            again = inbox.subscribe("sdk/for", after=3)
            events = list(again.events(timeout=1))
            assert [type(event).__name__ for event in events] == ["BlockingDelivery", "CaughtUp"]
        assert list(again) == []
        again.close()


def test_a_blocking_stream_in_a_thread_of_its_own(stack: Stack) -> None:
    """One thread iterates the inbox while another iterates a topic; the end of `with` ends both."""
    received: list[str | None] = []

    def iterate(stream: BlockingTopicStream) -> None:
        received.extend(delivery.notification.title for delivery in stream)

    with Tidings(stack.api, key=stack.key) as client:
        with client.listen(user="t-liv", topics="sdk/**") as inbox:
            stream = inbox.subscribe("sdk/threads", after=0)
            thread = threading.Thread(target=iterate, args=(stream,))
            thread.start()
            for number in range(10):
                client.send(to_topics="sdk/threads", title=str(number))
                client.send(to_users="t-liv", title=f"own {number}")
            own = [inbox.next(timeout=PATIENCE_SECONDS).notification.title for _ in range(10)]
            deadline = time.monotonic() + PATIENCE_SECONDS
            while len(received) < 10 and time.monotonic() < deadline:
                time.sleep(0.01)
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
    assert own == [f"own {number}" for number in range(10)]
    assert received == [str(number) for number in range(10)]


def test_the_command(stack: Stack) -> None:
    """`tidings send --topic` sends, and `tidings listen --topic` prints what a topic gets."""
    environment = clean_environment(TIDINGS_URL=stack.api, TIDINGS_KEY=stack.key)

    def run(*words: str) -> str:
        return subprocess.run(
            [str(Path(sys.executable).with_name("tidings")), *words],
            env=environment, check=True, capture_output=True, text=True, timeout=60,
        ).stdout  # fmt: skip

    run("send", "hello", "--topic", "sdk/command")
    run("send", "again", "--topic", "sdk/command", "--topic", "sdk/command/2")
    words = ("listen", "--user", "t-cli", "--topic", "sdk/command", "--rewind", "2", "--count", "2", "--json")
    found = [json.loads(line) for line in run(*words).splitlines()]
    assert [each["notification"]["title"] for each in found] == ["hello", "again"]
    assert {each["log"] for each in found} == {"topic:sdk/command"}
