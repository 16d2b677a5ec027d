"""The command `tidings`, run as a user runs it."""

import json
import signal
from typing import Any

from tests.sdk.gateway import Gateway, Peer, notification
from tests.sdk.scripted import SENT
from tests.sdk.shell import finished, playing, tidings


async def test_send_says_what_it_sent() -> None:
    """`tidings send` sends one notification with its options, and prints its id."""
    async with playing({"POST /v1/notifications": (202, SENT)}) as api:
        code, out, err = await finished(
            *("send", "On its way", "--user", "ana", "--to-user", "bob", "--group", "g", "--exclude", "eve"),
            *("--body", "b", "--data", '{"order": 4711}', "--category", "orders", "--link", "/o"),
            *("--priority", "high", "--expires-in", "60"),
            url=api.url,
        )
    assert (code, out, err) == (0, "accepted n1 (everysec)\n", "")
    assert api.bodies == [
        {
            "to": {"users": ["ana", "bob"], "groups": ["g"], "exclude": ["eve"]},
            "category": "orders",
            "title": "On its way",
            "body": "b",
            "data": {"order": 4711},
            "link": "/o",
            "priority": "high",
            "expires_in": 60,
        }
    ]


async def test_send_answers_scripts_in_json() -> None:
    """With --json `tidings send` prints one object on one line."""
    async with playing({"POST /v1/notifications": (202, SENT)}) as api:
        code, out, _ = await finished("send", "--all", "--title", "Hi", "--json", url=api.url)
    assert code == 0
    assert json.loads(out)["id"] == "n1"
    assert api.bodies == [{"to": {"all": True}, "title": "Hi"}]


async def test_a_refusal_is_one_line_with_code_and_request() -> None:
    """A refusal is one line with the code, the hint and the request id."""
    problem = {
        "type": "/problems/insufficient_scope",
        "title": "The token does not allow this",
        "status": 403,
        "detail": "The scope send is needed.",
        "code": "insufficient_scope",
        "request_id": "req-7",
    }
    async with playing({"POST /v1/notifications": (403, problem)}) as api:
        code, _, err = await finished("send", "Hi", "--user", "ana", url=api.url)
    assert code == 1
    assert err == (
        "tidings: The scope send is needed [insufficient_scope, HTTP 403]. "
        "Use a key that has the scope (request req-7)\n"
    )


async def test_listen_prints_until_it_is_interrupted() -> None:
    """`listen` prints each notification as it arrives, and Ctrl-C acknowledges, closes and exits with 0."""
    acked: list[dict[str, Any]] = []

    async def script(peer: Peer) -> None:
        await peer.welcome(user=0)
        title = "bell\x07 and\nnewline\x1b[31m"
        content = notification(1) | {"title": title, "body": "b", "category": "orders", "link": "/o"}
        await peer.send("notification", log="user", position=1, notification=content)
        acked.append(await peer.recv("ack"))

    async with Gateway.playing(script) as gateway:
        token = {"token": "t", "expires_at": "2030-01-01T00:00:00Z", "realtime_url": gateway.url}
        async with playing({"POST /v1/tokens": (201, token)}) as api:
            process = await tidings("listen", "--user", "ana", "--device", "shell", url=api.url)
            assert process.stdout is not None
            line = (await process.stdout.readline()).decode()
            process.send_signal(signal.SIGINT)
            _, err = await process.communicate()
        await gateway.peers[0].socket.wait_closed()
    assert line == "2026-11-22 07:00:00  user  orders  bell  and newline [31m  b  /o\n"
    assert process.returncode == 0
    assert err.decode() == "listening as ana; Ctrl-C stops\n"
    assert acked == [{"type": "ack", "positions": {"user": 1}}]
    assert gateway.peers[0].connect["device"] == "shell"


async def test_listen_gives_scripts_the_frames() -> None:
    """With --json each line is the frame that arrived, gaps included, and --count stops the command."""

    async def script(peer: Peer) -> None:
        await peer.welcome(user=0)
        await peer.send("gap", log="user", **{"from": 1, "to": 2}, missed=2, reason="trimmed")
        await peer.deliver(3)
        await peer.deliver(4)

    async with Gateway.playing(script) as gateway:
        code, out, _ = await finished(
            "listen", "--token", "mine", "--realtime-url", gateway.url, "--json", "--count", "2"
        )
    gap, third, fourth = (json.loads(line) for line in out.splitlines())
    assert code == 0
    assert gap == {"type": "gap", "log": "user", "from": 1, "to": 2, "missed": 2, "reason": "trimmed"}
    assert (third["position"], third["notification"]["title"]) == (3, "title 3")
    assert fourth["position"] == 4
