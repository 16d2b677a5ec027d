"""Topics: what a tenant has, and the history of each."""

from typing import Annotated, Final

import msgspec
from litestar import Router, get
from litestar.params import PathParameter, QueryParameter
from msgspec import UNSET

from tidings.protocol import limits
from tidings.protocol.names import TOPIC_PATTERN, TOPIC_RULE
from tidings.protocol.rest import Topic, TopicEntry, TopicEntryPage, TopicPage
from tidings.protocol.times import timestamp
from tidings_api.authorisation import needs
from tidings_api.cursors import Cursors
from tidings_api.problems import ProblemError
from tidings_api.requests import Caller, Cursor, Limit, OpenStore
from tidings_api.topic_paths import topic_of
from tidings_workers.store import TopicInfo

TopicPath = Annotated[
    str,
    PathParameter(
        description=f"The name of a topic, percent-encoded: {TOPIC_RULE}.",
        schema_extra={"pattern": TOPIC_PATTERN},
    ),
]
Prefix = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=limits.TOPIC_LENGTH,
        description="Only topics whose names begin with this text.",
    ),
]


@get("/v1/topics", opt=needs("read"), summary="List topics")
async def list_topics(
    identity: Caller,
    store: OpenStore,
    prefix: Prefix = None,
    limit: Limit = limits.PAGE_DEFAULT,
    cursor: Cursor = None,
) -> TopicPage:
    """The tenant's topics, ordered by name. A topic begins with its first send or subscription."""
    cursors = Cursors(store, identity.tenant, "topics", prefix)
    page = await store.topics.page(identity.tenant, prefix or "", limit, cursors.read(cursor))
    return TopicPage(
        [_topic(info) for info in page.items], cursors.write(page.next), cursors.write(page.previous)
    )


@get("/v1/topics/{topic:str}", opt=needs("read"), summary="Get a topic")
async def get_topic(topic: TopicPath, identity: Caller, store: OpenStore) -> Topic:
    """A topic, with its last position and the number of connections that are subscribed to it now."""
    name = topic_of(topic)
    found = await store.topics.get(identity.tenant, name)
    if found is None:
        raise ProblemError("not_found", f"There is no topic {name!r}: nothing was sent to it yet.")
    return _topic(found)


@get("/v1/topics/{topic:str}/notifications", opt=needs("read"), summary="List the notifications of a topic")
async def list_topic_notifications(
    topic: TopicPath,
    identity: Caller,
    store: OpenStore,
    limit: Limit = limits.PAGE_DEFAULT,
    cursor: Cursor = None,
) -> TopicEntryPage:
    """The notifications of the topic, newest first; an empty page for an unknown topic."""
    name = topic_of(topic)
    cursors = Cursors(store, identity.tenant, "topic", name)
    page = await store.topics.entries(identity.tenant, name, limit, cursors.read(cursor))
    log = store.keys.topic(identity.tenant, name).name
    return TopicEntryPage(
        [
            TopicEntry(
                log,
                entry.position,
                msgspec.Raw(entry.content),
                True if entry.position in page.archived else UNSET,
            )
            for entry in page.items
        ],
        cursors.write(page.next),
        cursors.write(page.previous),
        UNSET if page.complete else "unavailable",
    )


routes: Final = Router(
    "/", tags=["Topics"], route_handlers=[list_topics, get_topic, list_topic_notifications]
)


def _topic(info: TopicInfo) -> Topic:
    return Topic(info.name, info.position, info.subscribers, timestamp(info.created_at))
