"""The cost of a topic in the store: it does not depend on the number of subscribers.

The short form runs with all tests. `TOPIC_SUBSCRIBERS=10000` has so many; `ulimit -n` has to allow as many
descriptors.
"""

import os
from typing import Final

import httpx
import msgspec
import redis as redis_py

from bench.audience import Audience
from bench.poller import Poller
from bench.websocket import WELCOME, Client, handshake, text_frame
from tests.support.no_tls import NO_TLS
from tests.support.parts import Parts, running_parts

SUBSCRIBERS: Final = int(os.environ.get("TOPIC_SUBSCRIBERS", "200"))
TOPIC: Final = "news/all"
SENDS: Final = 20
_AT_ONCE: Final = 50
_PATIENCE_SECONDS: Final = 60 + SUBSCRIBERS / 50


def client(parts: Parts, user: str) -> Client:
    """A client that subscribes to the topic."""
    token = parts.installation.token(user, topics=[TOPIC])
    return Client(
        handshake("/v1/realtime", f"Authorization: Bearer {token}\r\n"),
        text_frame(b'{"type":"connect"}'),
        WELCOME,
        then=text_frame(msgspec.json.encode({"type": "subscribe", "topic": TOPIC})),
    )


def written(store: redis_py.Redis, pattern: str) -> dict[str, int]:
    """How many entries were ever written to each stream whose key has this pattern."""
    keys = [key.decode() for key in store.scan_iter(pattern, count=1_000, _type="stream")]
    return {key: store.xinfo_stream(key)["entries-added"] for key in keys}


def growth(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """The entries that were written in between, by stream."""
    grown = {key: count - before.get(key, 0) for key, count in after.items()}
    return {key: count for key, count in grown.items() if count}


def test_a_topic_costs_one_entry(redis_url: str) -> None:
    """A send to a topic writes one entry to its log, and at most one to the feed of each gateway.

    No other log or feed grows, whatever the number of subscribers, and each of them gets each notification.
    """
    store: redis_py.Redis = redis_py.Redis.from_url(redis_url)
    with running_parts(redis_url, TIDINGS_CONNECTIONS_PER_ADDRESS=str(SUBSCRIBERS)) as parts:
        poller = Poller()
        audiences = [
            Audience(
                poller,
                gateway.port,
                [client(parts, f"user-{number}-{half}") for number in range(SUBSCRIBERS // 2)],
                _AT_ONCE,
                seconds=_PATIENCE_SECONDS,
            )
            for half, gateway in enumerate(parts.gateways)
        ]
        logs, feeds = written(store, "*/log"), written(store, "*/feed/*")
        for number in range(SENDS):
            answer = httpx.post(
                f"{parts.installation.api}/v1/notifications",
                json={"to": {"topics": [TOPIC]}, "data": {"n": number}},
                headers={"Authorization": f"Bearer {parts.installation.token('shop', 'send')}"},
                trust_env=False,
                verify=NO_TLS,
            )
            assert answer.status_code == 202, answer.text
        for audience in audiences:
            audience.wait_for(SENDS, _PATIENCE_SECONDS)
            audience.check(SENDS)
        new_logs, new_feeds = (
            growth(logs, written(store, "*/log")),
            growth(feeds, written(store, "*/feed/*")),
        )
        for audience in audiences:
            audience.close()
        poller.close()
    assert list(new_logs.values()) == [SENDS], new_logs
    assert len(new_feeds) == 2, "both gateways, and one partition"
    assert all(0 < count <= SENDS for count in new_feeds.values()), new_feeds
