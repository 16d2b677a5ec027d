"""A program that uses one client before and after `fork`, for `test_processes`.

`python -m tests.sdk.forking blocking|async URL` prints, for each child and for the parent, the titles of the
sends that got the answer to another send.
"""

import asyncio
import atexit
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from tests.sdk.gateway import KEY
from tidings import AsyncTidings, Tidings

CHILDREN = 4
SENDS = 50


def blocking(url: str) -> Callable[[str], list[str]]:
    """A function that sends with one client, and returns the titles that got another send's answer."""
    client = Tidings(url, key=KEY, retries=0)
    atexit.register(client.close)

    def send(name: str) -> list[str]:
        titles = [f"{name}-{number}" for number in range(SENDS)]
        return [title for title in titles if client.send(to_users=name, title=title).id != title]

    return send


def concurrent(url: str) -> Callable[[str], list[str]]:
    """The same with the async client: all sends at once, each call on a new event loop."""
    client = AsyncTidings(url, key=KEY, retries=0)

    async def sends(name: str) -> list[str]:
        titles = [f"{name}-{number}" for number in range(SENDS)]
        answers = await asyncio.gather(*(client.send(to_users=name, title=title) for title in titles))
        return [title for title, sent in zip(titles, answers, strict=True) if sent.id != title]

    return lambda name: asyncio.run(sends(name))


def in_children(work: Callable[[str], Any]) -> dict[str, Any]:
    """Run `work` in four children and in the parent at the same time; the result of each."""
    pipes = {}
    for number in range(CHILDREN):
        reading, writing = os.pipe()
        if os.fork() == 0:
            try:
                outcome = json.dumps(work(f"child-{number}"))
            except BaseException as error:  # noqa: BLE001 - the parent gets every error
                outcome = json.dumps(repr(error))
            os.write(writing, outcome.encode())
            os._exit(0)
        os.close(writing)
        pipes[f"child-{number}"] = reading
    found: dict[str, Any] = {"parent": work("parent")}
    for name, reading in pipes.items():
        with os.fdopen(reading) as pipe:
            found[name] = json.loads(pipe.read())
        os.wait()
    return found


def connections_of_the_parent(url: str) -> list[int]:
    """The port of the parent's connection before and after a child sends, closes the client and exits."""

    def port() -> int:
        (connection,) = client._pools.current()._free
        assert connection.raw_socket is not None
        return int(connection.raw_socket.getsockname()[1])

    with Tidings(url, key=KEY, retries=0) as client:
        client.send(to_users="parent", title="before")
        before = port()
        if os.fork() == 0:
            client.send(to_users="child", title="child")
            client.close()
            os._exit(0)
        os.wait()
        client.send(to_users="parent", title="after")
        return [before, port()]


def main() -> None:
    kind, url = sys.argv[1:]
    if kind == "connections":
        sys.stdout.write(json.dumps(connections_of_the_parent(url)))
        return
    send = blocking(url) if kind == "blocking" else concurrent(url)
    first = send("before")
    sys.stdout.write(json.dumps({"before": first, **in_children(send)}))


if __name__ == "__main__":
    main()
