"""A program as users write it; tests/sdk/test_signatures.py runs mypy --strict on it."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from tidings import AsyncTidings, BatchResult, Message, Tidings


def rows() -> Iterator[dict[str, object]]:
    yield {"to_users": ["ana"], "title": "One"}


async def rows_async() -> AsyncIterator[Message]:
    yield {"to_users": ["ana"], "title": "One"}


def blocking(tidings: Tidings) -> None:
    msgs = [{"to_users": ["ana"], "title": "One"}, {"to_users": ["bob"], "title": "Two"}]
    unlike: list[Message] = [{"to_users": ["ana"], "title": "One"}, {"to_groups": ["g"], "data": {"n": 1}}]
    tidings.send_batch(unlike)
    results: list[BatchResult] = tidings.send_batch(msgs)
    tidings.send_batch([{"to_users": ["ana"], "title": "One", "actions": [{"id": "a", "label": "A"}]}])
    tidings.send_batch([Message(to_users="ana", title="One")])
    refused: list[str] = [str(result.error) for result in results if not result.ok]
    states: list[str] = [result.status for result in results]
    for result in tidings.send_many(rows(), progress=True, concurrency=2):
        print(result.index, result.id, result.error, refused, states)
    for record in tidings.sent(limit=10, page_size=5):
        print(record.to_dict())
    made = tidings.webhooks.create("https://shop.example/hooks", "user.*")
    for failed in tidings.webhooks.deliveries(made.id, status="failed", limit=5):
        print(failed.attempts[-1].error, made.secret)
    answer: dict[str, str] = tidings.tokens.create("ana")
    with tidings.listen(user="ana", device="laptop") as inbox:
        for delivery in inbox:
            delivery.mark_read()
            print(inbox.mark_seen(up_to={"user": 3}).counts.unread, answer)


async def asynchronous(tidings: AsyncTidings) -> None:
    print((await tidings.send(to_users=["ana"], title="One", retries=0)).id)
    async for result in tidings.send_many(rows_async()):
        print(result.ok)
    async for again in tidings.send_many([{"to_users": ["ana"], "title": "One"}]):
        print(again.ok)
    async with tidings.listen(user="ana", rewind=3) as inbox:
        async for delivery in inbox:
            await delivery.mark_read()


if __name__ == "__main__":
    asyncio.run(asynchronous(AsyncTidings.from_env()))
