"""The results of calls as dicts, for an application that stores them or answers with them."""

import json
import pickle
from typing import Any

import msgspec
import pytest

import tidings
from tests.sdk.scripted import TIME, Ask, Server, answer
from tidings import UserToken

RECORD: dict[str, Any] = {
    "id": "n1",
    "status": "accepted",
    "to": {"all": True},
    "title": "Hi",
    "data": {"at": "2026-11-22", "none": None},
    "priority": "normal",
    "created_at": TIME,
    "accepted_at": TIME,
    "stored_at": None,
    "receipts": {"recipients": None, "delivered": 0, "seen": 0, "read": 0, "actions": {}},
}
NOTIFICATION = {"id": "n1", "title": "Hi", "priority": "normal", "created_at": TIME}
ITEM = {
    "log": "user",
    "position": 12,
    "state": "unseen",
    "seen_at": None,
    "read_at": None,
    "archived_at": None,
    "snoozed_until": None,
    "action": None,
    "notification": NOTIFICATION,
}
COUNTS = {"unseen": 1, "unread": 1, "version": 4}
ANSWERS: list[tuple[Any, Any]] = [
    (lambda c: c.get("n1"), RECORD),
    (lambda c: c.sent().page(), {"items": [RECORD], "next": "c", "previous": None}),
    (
        lambda c: c.send(to_users="ana", title="Hi"),
        {"id": "n1", "status": "accepted", "durability": "always", "accepted_at": TIME},
    ),
    (lambda c: c.groups.get("g"), {"id": "g", "members": 3, "created_at": TIME}),
    (lambda c: c.groups.add("g", "ana"), {"added": 1, "removed": 0}),
    (lambda c: c.tokens.create("ana"), {"token": "t", "expires_at": TIME, "realtime_url": "ws://x"}),
    (
        lambda c: c.users.presence("ana"),
        {
            "online": True,
            "connections": [{"connection": "c1", "device": None, "connected_at": TIME}],
            "last_seen_at": TIME,
        },
    ),
    (
        lambda c: c.inbox("ana").list().page(),
        {
            "items": [ITEM],
            "next": None,
            "previous": None,
            "counts": COUNTS,
            "epoch": "e1",
            "positions": {"user": 12},
            "state_version": 7,
        },
    ),
    (lambda c: c.inbox("ana").mark_read("n1"), {"changed": 1, "counts": COUNTS, "unknown": ["n9"]}),
]


@pytest.mark.parametrize(("call", "body"), ANSWERS)
async def test_a_result_as_a_dict_is_the_answer_of_the_api(ask: Ask, call: Any, body: Any) -> None:
    """`to_dict()` returns the JSON of the API's answer, with its fields, times and nulls."""
    result = await ask(Server(answer(200, body)), call)
    assert result.to_dict() == body
    json.dumps(result.to_dict())


def test_every_public_struct_can_be_a_dict() -> None:
    """Results, frames and events have `to_dict()`, except those that an application makes."""
    own = {"Action", "ReconnectPolicy", "RequestInfo", "RetryPolicy", "SendProgress"}
    without = {
        name
        for name in tidings.__all__
        if isinstance(kind := getattr(tidings, name), type)
        and issubclass(kind, msgspec.Struct)
        and not hasattr(kind, "to_dict")
    }
    assert without <= own


def test_a_token_is_a_dict_with_attributes() -> None:
    """A token is a dict with the fields of the answer, has attributes, and its repr hides the token."""
    token = UserToken(token="secret", expires_at=TIME, realtime_url="ws://x")
    assert json.loads(json.dumps(token)) == token.to_dict() == token
    assert (token.token, token.realtime_url) == ("secret", "ws://x")
    assert token.expires_at.isoformat() == "2026-11-22T07:00:00.123000+00:00"
    assert "secret" not in f"{token} {token!r}"
    assert pickle.loads(pickle.dumps(token)).token == "secret"  # noqa: S301 - our own
