"""Ids of other systems, with every character that an id may have."""

import time
from functools import partial
from urllib.parse import quote

import httpx
import pytest

from tests.support.no_tls import NO_TLS
from tests.support.stack import Stack
from tests.support.valkey import wait_until
from tidings import AsyncTidings, Tidings
from tidings.protocol.names import is_device, is_id, is_log

PATIENCE_SECONDS = 20.0
ALPHABET = "azAZ09._-:@+|=~"
# Each one is the beginning or the end of another one, split at one of the characters.
USER, OTHERS = "auth0|5f7c=~x", ("auth0", "5f7c=~x", "auth0|5f7c", "~x", "|", "=", "~")
GROUP, GROUPS = "org|a=~b", ("org", "a=~b", "org|a")


def stored(client: Tidings, identity: str) -> None:
    """Wait until the notification is stored for every recipient."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while client.get(identity).status != "stored":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_first_group(http: httpx.Client, user: str, group: str) -> bool:
    """The first group of a user; a dispatcher writes it a moment after the answer of the change."""
    items = http.get(f"/v1/users/{user}/groups").json().get("items")
    return bool(items) and items[0]["id"] == group


def titles(client: Tidings, user: str) -> list[str | None]:
    """The titles in a user's inbox, newest first."""
    return [item.notification.title for item in client.inbox(user).list()]


@pytest.mark.parametrize("text", [ALPHABET, USER, GROUP, *OTHERS, "...", "~" * 128])
def test_the_alphabet(text: str) -> None:
    """An id may have letters, digits and . _ - : @ + | = ~, and so may devices and names of logs."""
    assert is_id(text)
    assert is_log(f"group:{text}")
    assert bool(is_device(text)) == (len(text) <= 64)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a b", "a/b", "a,b", "a%7Cb", "a\n", "é", "a" * 129, "{a}", '"']
)
def test_outside_the_alphabet(text: str) -> None:
    """No id may have a character that separates names in a path, a header or a key of the store."""
    assert not is_id(text)
    assert not is_device(text)
    assert not is_log(f"group:{text}")


async def test_no_two_ids_are_confused(stack: Stack) -> None:
    """Sends, groups, excludes, marks, recalls and connections of `auth0|5f7c=~x` are only its own."""
    with Tidings(stack.api, key=stack.key) as client:
        for group, user in zip((GROUP, *GROUPS), (USER, *OTHERS), strict=False):
            client.groups.add(group, [user])
        client.groups.add(GROUP, [OTHERS[0], OTHERS[1]])
        assert {member.user for member in client.groups.members(GROUP)} == {USER, *OTHERS[:2]}
        assert [group.id for group in client.groups.of_user(USER)] == [GROUP]
        sent = [
            client.send(to_users=[USER], title="user", category="a|b=~c", expires_in=3600),
            client.send(to_groups=[GROUP], exclude=OTHERS[:1], title="group"),
            client.send(to_groups=[GROUP], to_users=OTHERS, exclude=[USER], title="compound"),
            client.send(to_groups=[GROUP], title="recalled"),
        ]
        for each in sent:
            stored(client, each.id)
        client.recall(sent[3].id)
        assert sorted(map(str, titles(client, USER))) == ["group", "user"]
        assert titles(client, OTHERS[0]) == ["compound"]
        assert sorted(map(str, titles(client, OTHERS[1]))) == ["compound", "group"]
        assert [titles(client, other) for other in OTHERS[2:]] == [["compound"]] * 5
        assert [receipt.user for receipt in client.receipts(sent[0].id)] == [USER]
        assert client.inbox(USER).mark("read", ids=[sent[0].id]).changed == 1
        assert client.inbox(OTHERS[2]).counts().unread == 1

    async with AsyncTidings(stack.api, key=stack.key) as tidings:
        async with tidings.listen(user=USER, device="tv|1=~") as inbox:
            await tidings.send(to_groups=[GROUP], title="live")
            delivery = await anext(inbox)
            assert (delivery.log, delivery.notification.title) == (f"group:{GROUP}", "live")
            await delivery.mark_read()
            delivery.ack()
        async with tidings.listen(user=USER, device="tv|1=~") as inbox:
            await tidings.send(to_users=[USER], title="next")
            assert (await anext(inbox)).notification.title == "next"


def test_paths(stack: Stack) -> None:
    """In a path any character of an id may be percent-encoded."""
    headers = {"Authorization": f"Bearer {stack.token('shop', 'send read groups users')}"}
    with httpx.Client(base_url=stack.api, headers=headers, trust_env=False, verify=NO_TLS) as http:
        for group, user in (("path|g", "path|u=~"), ("path=g", "path~u")):
            for spelt in (
                quote(user, safe=""),
                quote(user, safe="|=~"),
                "".join(f"%{ord(c):02X}" for c in user),
            ):
                path = f"/v1/groups/{quote(group, safe='')}/members/{spelt}"
                assert http.put(path).status_code == 204
                wait_until(partial(is_first_group, http, spelt, group), "joining a group")
            answer = http.get(f"/v1/groups/{quote(group, safe='')}/members").json()
            assert [member["user"] for member in answer["items"]] == [user]
        for other in ("a%20b", "a%2Fb", "%C3%A9"):
            assert http.get(f"/v1/users/{other}/groups").status_code in {404, 422}
        refused = http.post("/v1/notifications", json={"to": {"users": ["o'brien"]}, "title": "x"}).json()
        assert "base64url" in refused["errors"][0]["detail"]
