"""The commands of `tidings` that read and change inboxes, run as a user runs them."""

import json
import signal
from typing import Any

import pytest

from tests.sdk.gateway import Gateway, Peer, notification
from tests.sdk.shell import finished, playing, tidings

TIME = "2026-11-22T07:00:00.123Z"
COUNTS = {"unseen": 3, "unread": 3, "version": 1}
MARKED = {"changed": 2, "counts": {"unseen": 0, "unread": 1, "version": 2}, "unknown": ["n9"]}
PAGE = {
    "items": [
        {"log": "user", "position": at, "state": "unseen", "notification": notification(at)}
        for at in (3, 2, 1)
    ],
    "next": None,
    "previous": None,
    "counts": COUNTS,
    "epoch": "e1",
    "positions": {"user": 3},
}
RECORD = {
    "id": "n1",
    "status": "stored",
    "to": {"users": ["ana", "bob"]},
    "title": "Hi",
    "accepted_at": TIME,
    "receipts": {"recipients": 2, "delivered": 1, "seen": 1, "read": 0, "actions": {}},
}
INBOX = "/v1/users/ana/notifications"


@pytest.mark.parametrize(("limit", "shown"), [("0", 3), ("2", 2), ("50", 3)])
async def test_inbox_prints_items_and_counts(limit: str, shown: int) -> None:
    """`tidings inbox` prints items newest first up to the limit, and the counts on stderr."""
    async with playing({f"GET {INBOX}": (200, PAGE)}) as api:
        code, out, err = await finished("inbox", "--user", "ana", "--limit", limit, url=api.url)
        _, lines, _ = await finished("inbox", "--user", "ana", "--limit", limit, "--json", url=api.url)
    assert code == 0
    assert out.splitlines()[0] == "2026-11-22 07:00:00  user  unseen  title 3"
    assert len(out.splitlines()) == len(lines.splitlines()) == shown
    assert err == "3 unseen, 3 unread\n"
    assert json.loads(lines.splitlines()[0])["notification"]["id"] == "n3"


async def test_data_is_shown_as_json() -> None:
    """A notification with data alone is printed as the JSON that was sent."""
    data = {"order": 4711, "paid": True, "by": None, "name": "José"}
    shown = '{"order":4711,"paid":true,"by":null,"name":"José"}'
    record = {name: value for name, value in RECORD.items() if name != "title"} | {"data": data}
    item = {
        "log": "user",
        "position": 1,
        "state": "unseen",
        "notification": {**notification(1), "title": None, "data": data},
    }
    answers = {
        f"GET {INBOX}": (200, PAGE | {"items": [item]}),
        "GET /v1/notifications": (200, {"items": [record], "next": None, "previous": None}),
        "GET /v1/notifications/n1": (200, record),
    }
    async with playing(answers) as api:
        for words in (("inbox", "--user", "ana"), ("sent",), ("get", "n1")):
            code, out, _ = await finished(*words, url=api.url)
            assert code == 0
            assert shown in out


async def test_inbox_filters_and_marks_what_it_showed() -> None:
    """Options filter the list, and --mark-read marks exactly the printed items."""
    answers = {f"GET {INBOX}": (200, PAGE), f"POST {INBOX}/mark": (200, MARKED)}
    async with playing(answers) as api:
        code, out, err = await finished(
            *("inbox", "--user", "ana", "--unread", "--category", "orders.", "--log", "user", "--limit", "2"),
            *("--after", "2026-11-22T08:00:00+01:00", "--before", "2026-11-23", "--mark-read", "--ids"),
            url=api.url,
        )
    assert (code, err) == (0, "0 unseen, 1 unread\n")
    assert out.splitlines()[0] == "2026-11-22 07:00:00  user  unseen  title 3  n3"
    times = "after=2026-11-22T07%3A00%3A00Z&before=2026-11-23T00%3A00%3A00Z"
    assert api.bodies == [
        f"{INBOX}?state=unread&category=orders.&log=user&{times}&limit=2",
        {"state": "read", "ids": ["n3", "n2"]},
    ]


async def test_inbox_counts_by_category() -> None:
    """--counts prints the totals, then each category; with --json the counts of the API."""
    counts = COUNTS | {"categories": {"orders": {"unseen": 1, "unread": 2}, "": {"unseen": 2, "unread": 1}}}
    async with playing({f"GET {INBOX}": (200, PAGE | {"counts": counts})}) as api:
        _, out, _ = await finished("inbox", "--user", "ana", "--counts", url=api.url)
        _, line, _ = await finished("inbox", "--user", "ana", "--counts", "--json", url=api.url)
    assert out.splitlines() == [
        "3 unseen, 3 unread",
        "  (no category): 2 unseen, 1 unread",
        "  orders: 1 unseen, 2 unread",
    ]
    assert json.loads(line) == counts


@pytest.mark.parametrize(
    ("arguments", "path", "body"),
    [
        (("read", "n1", "n2", "--user", "ana"), INBOX, {"state": "read", "ids": ["n1", "n2"]}),
        (("archived", "--all", "--user", "ana"), INBOX, {"state": "archived", "all": True}),
        (
            ("seen", "--all", "--category", "orders", "--token", "mine"),
            "/v1/me/notifications",
            {"state": "seen", "all": True, "category": "orders"},
        ),
        (
            ("read", "--up-to", "user=12", "--up-to", "group:a=3", "--user", "ana"),
            INBOX,
            {"state": "read", "up_to": {"user": 12, "group:a": 3}},
        ),
    ],
)
async def test_mark_says_what_changed(arguments: tuple[str, ...], path: str, body: Any) -> None:
    """`tidings mark` marks ids, positions or everything, and names unknown ids on stderr."""
    async with playing({f"POST {path}/mark": (200, MARKED)}) as api:
        code, out, err = await finished("mark", *arguments, url=api.url)
        _, line, _ = await finished("mark", *arguments, "--json", url=api.url)
    assert (code, out) == (0, "2 changed; 0 unseen, 1 unread\n")
    assert err == "not in this inbox: n9\n"
    assert json.loads(line) == MARKED
    assert api.bodies == [body, body]


async def test_act_uses_an_action_and_names_the_first() -> None:
    """`tidings act` prints the action that counts, and fails with the API's words after another one."""
    path = f"POST {INBOX}/n3/actions/approve"
    acted = {"id": "n3", "action": {"id": "approve", "at": TIME}}
    problem = {
        "type": "/problems/action_used",
        "title": "Used",
        "status": 409,
        "detail": "The user used the action 'reject'.",
        "code": "action_used",
        "request_id": "r",
    }
    async with playing({path: (200, acted)}) as api:
        code, out, err = await finished("act", "n3", "approve", "--user", "ana", url=api.url)
        _, line, _ = await finished("act", "n3", "approve", "--user", "ana", "--json", url=api.url)
    assert (code, out, err) == (0, "approve at 2026-11-22 07:00:00 UTC\n", "")
    assert json.loads(line) == acted
    async with playing({path: (409, problem)}) as api:
        code, out, err = await finished("act", "n3", "approve", "--user", "ana", url=api.url)
    assert (code, out) == (1, "")
    assert "The user used the action 'reject' [action_used, HTTP 409]." in err


async def test_receipts_are_counts_and_then_users() -> None:
    """`tidings receipts` prints the counts, then the receipts of each recipient."""
    items = [
        {"user": "ana", "delivered": True, "seen": True, "read": False, "seen_at": TIME, "read_at": None},
        {"user": "bob", "delivered": False, "seen": False, "read": False, "seen_at": None, "read_at": None},
    ]
    answers = {
        "GET /v1/notifications/n1": (200, RECORD),
        "GET /v1/notifications/n1/receipts": (200, {"items": items, "next": None, "previous": None}),
    }
    async with playing(answers) as api:
        code, out, _ = await finished("receipts", "n1", url=api.url)
        _, lines, _ = await finished("receipts", "n1", "--json", url=api.url)
    assert code == 0
    assert out.splitlines() == [
        "stored: 2 recipients, 1 delivered, 1 seen, 0 read",
        "  ana: delivered, seen 2026-11-22 07:00:00",
        "  bob: not delivered yet",
    ]
    first, ana, _ = (json.loads(line) for line in lines.splitlines())
    assert first == RECORD["receipts"]
    assert (ana["user"], ana["seen"], ana["read"]) == ("ana", True, False)


async def test_receipts_of_a_broadcast_are_its_counts() -> None:
    """Without receipts per user the command prints the counts, and says why there is no more."""
    refusal = {
        "type": "/problems/invalid_request",
        "title": "t",
        "status": 422,
        "detail": "Only counts are kept.",
        "code": "invalid_request",
    }
    receipts = {"recipients": None, "delivered": 9, "seen": 5, "read": 1}
    answers = {
        "GET /v1/notifications/n1": (200, RECORD | {"to": {"all": True}, "receipts": receipts}),
        "GET /v1/notifications/n1/receipts": (422, refusal),
    }
    async with playing(answers) as api:
        code, out, err = await finished("receipts", "n1", url=api.url)
    assert (code, out, err) == (
        0,
        "stored: everybody, 9 delivered, 5 seen, 1 read\n",
        "The server keeps no users for a notification to one group or to all, only these counts\n",
    )


async def test_sent_lists_with_ids() -> None:
    """`tidings sent` prints one line per notification, with the id for receipts and recalls."""
    page = {"items": [RECORD, RECORD | {"id": "n0"}], "next": None, "previous": None}
    async with playing({"GET /v1/notifications": (200, page)}) as api:
        code, out, _ = await finished("sent", "--category", "orders", "--limit", "1", url=api.url)
        _, lines, _ = await finished("sent", "--json", "--limit", "0", url=api.url)
    assert (code, out) == (
        0,
        "2026-11-22 07:00:00  n1  stored  2 recipients, 1 delivered, 1 seen, 0 read  Hi\n",
    )
    assert [json.loads(line)["id"] for line in lines.splitlines()] == ["n1", "n0"]
    assert api.bodies == [
        "/v1/notifications?category=orders&limit=1",
        "/v1/notifications?limit=200",
    ]


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        (
            {
                "online": True,
                "connections": [{"connection": "c1", "device": "phone", "connected_at": TIME}],
                "last_seen_at": TIME,
            },
            ["ana is online", "  phone  since 2026-11-22 07:00:00  c1"],
        ),
        (
            {"online": False, "connections": [], "last_seen_at": TIME},
            ["ana is offline, since 2026-11-22 07:00:00"],
        ),
        (
            {"online": False, "connections": [], "last_seen_at": None},
            ["ana is offline, and was never online"],
        ),
    ],
)
async def test_presence_says_whether_a_user_is_online(found: dict[str, Any], lines: list[str]) -> None:
    """`tidings presence` prints online with each device, or offline with the time of the last connection."""
    async with playing({"GET /v1/users/ana/presence": (200, found)}) as api:
        code, out, _ = await finished("presence", "ana", url=api.url)
        _, line, _ = await finished("presence", "ana", "--json", url=api.url)
    assert (code, out.splitlines()) == (0, lines)
    assert json.loads(line)["online"] is found["online"]


async def test_listen_shows_what_other_devices_mark_and_marks_itself() -> None:
    """`listen` prints the marks of other devices with titles, and --mark-read marks each printed delivery."""
    marks = []

    async def script(peer: Peer) -> None:
        await peer.welcome(user=0)
        await peer.deliver(1)
        mark = await peer.recv("mark")
        marks.append((mark["state"], mark["ids"]))
        change = {"id": "n1", "at": TIME}
        await peer.state(2, ref=mark["ref"], changes=[change | {"state": "read"}])
        await peer.state(3, changes=[change | {"state": "unread"}, {"id": "n0", "state": "seen", "at": TIME}])
        await peer.state(4, all=True, up_to={"user": 1}, category="orders", state="read", at=TIME)
        await peer.state(5, up_to={"user": 1, "all": 2}, state="archived", at=TIME)
        await peer.state(6, reload=True)

    async with Gateway.playing(script) as gateway:
        token = {"token": "t", "expires_at": "2030-01-01T00:00:00Z", "realtime_url": gateway.url}
        async with playing({"POST /v1/tokens": (201, token)}) as api:
            process = await tidings("listen", "--user", "ana", "--mark-read", "--ids", url=api.url)
            assert process.stdout is not None
            lines = [(await process.stdout.readline()).decode().rstrip() for _ in range(5)]
            assert process.stderr is not None
            notes = [(await process.stderr.readline()).decode().rstrip() for _ in range(5)]
            process.send_signal(signal.SIGINT)
            await process.communicate()
    assert marks == [("read", ["n1"])]
    assert lines == [
        "2026-11-22 07:00:00  user  title 1  n1",
        "2026-11-22 07:00:00  unread on another device  title 1",
        "2026-11-22 07:00:00  seen on another device  n0",
        "2026-11-22 07:00:00  read on another device  everything in orders",
        "2026-11-22 07:00:00  archived on another device  everything up to user 1, all 2",
    ]
    assert notes[1:] == [
        "0 unseen, 3 unread",
        "0 unseen, 4 unread",
        "0 unseen, 5 unread",
        "some marks were missed: see `tidings inbox`",
    ]


async def test_listen_gives_scripts_each_change() -> None:
    """With --json a change is its frame, with `mine` for a mark of this command."""

    async def script(peer: Peer) -> None:
        await peer.welcome(user=0)
        await peer.deliver(1)
        mark = await peer.recv("mark")
        await peer.state(2, ref=mark["ref"], changes=[])
        await peer.state(3, up_to={"user": 1}, state="seen", at=TIME)
        await peer.deliver(2)
        mark = await peer.recv("mark")
        await peer.state(4, ref=mark["ref"], changes=[])

    async with Gateway.playing(script) as gateway:
        code, out, _ = await finished(
            *("listen", "--token", "mine", "--realtime-url", gateway.url),
            *("--json", "--count", "2", "--mark-read"),
        )
    assert code == 0
    first, own, other, second = (json.loads(line) for line in out.splitlines())
    assert [first["type"], second["type"]] == ["notification", "notification"]
    assert (own["type"], own["mine"]) == ("state", True)
    assert other["up_to"] == {"user": 1}
    assert "mine" not in other


@pytest.mark.parametrize(
    ("words", "until"),
    [
        (("--for", "3h"), "2"),
        (("--until", "2030-01-01T09:00:00+00:00"), "2030-01-01T09:00:00"),
        (("--end",), None),
    ],
)
async def test_snooze(words: tuple[str, ...], until: str | None) -> None:
    """`tidings snooze` hides items for a length or until a time, or ends that, and names unknown ids."""
    async with playing({f"POST {INBOX}/snooze": (200, MARKED)}) as api:
        code, out, err = await finished("snooze", "n1", "n9", "--user", "ana", *words, url=api.url)
        (body,) = api.bodies
    assert (code, out) == (0, "2 changed; 0 unseen, 1 unread\n")
    assert err == "not in this inbox: n9\n"
    assert body["ids"] == ["n1", "n9"]
    assert body["until"] is None if until is None else body["until"].startswith(until)


async def test_snooze_needs_one_time() -> None:
    """`tidings snooze` without a time, or with two, is wrong usage."""
    for words in ((), ("--for", "3h", "--end")):
        code, _, err = await finished("snooze", "n1", "--user", "ana", *words, url="http://127.0.0.1:9")
        assert (code, "Give --for, --until or --end" in err) == (2, True)
