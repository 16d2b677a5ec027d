"""The history by REST: lists go on past the retention of Redis, and say where they end."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import Bearer
from tests.archiver.history import History
from tests.support.rest import send, walk
from tidings.protocol import limits
from tidings_workers.config import Settings
from tidings_workers.store import Store

PATH = "/v1/users/ana/notifications"
# In days: the retention of the server is over.
LATER = limits.RETENTION_SECONDS / 86_400 + 1


@pytest.fixture
def archive_file(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def settings(settings: Settings, archive_file: Path) -> Settings:
    """Settings with an archive."""
    return Settings(
        redis_url=settings.redis_url,
        port=settings.port,
        drain_seconds=3,
        archive_url=f"sqlite://{archive_file}",
    )


@pytest.fixture
async def history(store: Store) -> History:
    """Moves old entries into the archive, whose tables it has made."""
    found = History(store)
    await found.archive.migrate()
    return found


@pytest.fixture
def scopes(bearer: Bearer) -> dict[str, str]:
    return bearer("send read groups users")


async def page(api: httpx.AsyncClient, headers: dict[str, str], **query: str) -> dict[str, Any]:
    answer = await api.get(PATH, params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_lists_go_on(api: httpx.AsyncClient, scopes: dict[str, str], history: History) -> None:
    """Items of the history are in the lists with `archived_copy`, in order, and the counts leave them out."""
    for number in range(5):
        await send(api, scopes, {"users": ["ana"]}, title=f"old {number}")
    assert await history.move(LATER) == 5
    await send(api, scopes, {"users": ["ana"]}, title="new")
    items = [item for each in await walk(api, PATH, scopes, limit=2) for item in each]
    assert [item["notification"]["title"] for item in items] == [
        "new",
        *(f"old {number}" for number in reversed(range(5))),
    ]
    assert [item.get("archived_copy") for item in items] == [None, *[True] * 5]
    first = await page(api, scopes)
    assert (first["counts"]["unseen"], "history" in first) == (1, False)
    sent = [item for each in await walk(api, "/v1/notifications", scopes, limit=2) for item in each]
    assert len(sent) == 6
    one = await api.get(f"/v1/notifications/{items[-1]['notification']['id']}", headers=scopes)
    assert one.status_code == 200


async def test_a_page_of_the_history_has_no_tag(
    api: httpx.AsyncClient, scopes: dict[str, str], history: History
) -> None:
    """A page that Redis fills has an ETag; one of the history has none, because its end may move."""
    await send(api, scopes, {"users": ["ana"]}, title="old")
    assert await history.move(LATER) == 1
    await send(api, scopes, {"users": ["ana"]}, title="new")
    filled = await api.get(PATH, params={"limit": "1"}, headers=scopes)
    assert filled.headers["etag"]
    assert "etag" not in (await api.get(PATH, headers=scopes)).headers
    kept = await api.get(
        PATH, params={"limit": "1"}, headers=scopes | {"if-none-match": filled.headers["etag"]}
    )
    assert kept.status_code == 304


async def test_since_and_until(api: httpx.AsyncClient, scopes: dict[str, str], history: History) -> None:
    """`since` is inclusive and `until` exclusive, in Redis and in the history, for inboxes and sends."""
    ids = [await send(api, scopes, {"users": ["ana"]}, title="old") for _ in range(3)]
    items = (await page(api, scopes))["items"]
    times = [item["notification"]["created_at"] for item in reversed(items)]
    later = datetime.fromisoformat(times[2]) + timedelta(milliseconds=1)
    for _ in range(2):
        listed = await page(api, scopes, since=times[1], until=later.isoformat())
        assert {item["notification"]["id"] for item in listed["items"]} >= {ids[1], ids[2]}
        assert all(times[1] <= item["notification"]["created_at"] for item in listed["items"])
        before = await page(api, scopes, until=times[0])
        assert before["items"] == []
        sent = await api.get(
            "/v1/notifications", params={"since": times[2], "until": later.isoformat()}, headers=scopes
        )
        assert ids[2] in {item["id"] for item in sent.json()["items"]}
        await history.move(LATER)
        await history.move(LATER + 20)
    wrong = await api.get("/v1/notifications", params={"since": "yesterday"}, headers=scopes)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_request")


async def test_an_archived_item_cannot_be_changed(
    api: httpx.AsyncClient, scopes: dict[str, str], history: History
) -> None:
    """A mark or an action of the history gets 409 `history_only`; with others, the others are marked."""
    old = await send(api, scopes, {"users": ["ana"]}, title="old", actions=[{"id": "yes", "label": "Yes"}])
    assert await history.move(LATER) == 1
    new = await send(api, scopes, {"users": ["ana"]}, title="new")
    for path, body in (
        (f"{PATH}/mark", {"state": "read", "ids": [old]}),
        (f"{PATH}/{old}/actions/yes", None),
    ):
        answer = await api.post(path, json=body, headers=scopes)
        assert (answer.status_code, answer.json()["code"]) == (409, "history_only"), answer.text
        assert old in answer.json()["detail"]
    both = await api.post(f"{PATH}/mark", json={"state": "read", "ids": [old, new]}, headers=scopes)
    assert (both.status_code, both.json()["changed"], both.json()["unknown"]) == (200, 1, [old])
    nothing = "01a20450-7f8e-7a91-bb7e-642d00f5e00a"
    unknown = await api.post(f"{PATH}/mark", json={"state": "read", "ids": [nothing]}, headers=scopes)
    assert (unknown.status_code, unknown.json()["unknown"]) == (200, [nothing])


async def test_another_user_learns_nothing(
    api: httpx.AsyncClient, scopes: dict[str, str], bearer: Bearer, history: History
) -> None:
    """The id of another user's archived notification is as unknown as one that does not exist."""
    old = await send(api, scopes, {"users": ["ana"]}, title="old")
    assert await history.move(LATER) == 1
    bob = bearer("inbox", subject="bob")
    answer = await api.post("/v1/me/notifications/mark", json={"state": "read", "ids": [old]}, headers=bob)
    assert (answer.status_code, answer.json()["unknown"]) == (200, [old])
    assert (await api.get("/v1/me/notifications", headers=bob)).json()["items"] == []
    other = bearer("read", tenant="other")
    assert (await api.get(f"/v1/notifications/{old}", headers=other)).status_code == 404


async def test_a_recall_reaches_the_history(
    api: httpx.AsyncClient, scopes: dict[str, str], history: History
) -> None:
    """A recalled notification of the history is in no list any more, and a second recall is a 404."""
    old = await send(api, scopes, {"users": ["ana"]}, title="old")
    assert await history.move(LATER) == 1
    assert (await api.delete(f"/v1/notifications/{old}", headers=scopes)).status_code == 204
    assert await history.archive.notification("demo", old) is None
    assert (await page(api, scopes))["items"] == []
    assert (await api.delete(f"/v1/notifications/{old}", headers=scopes)).status_code == 404


async def test_a_broken_archive(
    api: httpx.AsyncClient, scopes: dict[str, str], history: History, archive_file: Path
) -> None:
    """With a corrupted file lists answer from Redis and say so, and an erasure names the pending part."""
    await send(api, scopes, {"users": ["ana"]}, title="old")
    assert await history.move(LATER) == 1
    for title in ("new", "newest"):
        await send(api, scopes, {"users": ["ana"]}, title=title)
    await history.archive.close()
    for path in archive_file.parent.glob("history.db*"):
        path.write_bytes(b"this is no database" * 1_000)
    broken = await page(api, scopes)
    assert [item["notification"]["title"] for item in broken["items"]] == ["newest", "new"]
    assert broken["history"] == "unavailable"
    filled = await page(api, scopes, limit="1")
    assert "history" not in filled
    missing = await api.get("/v1/notifications/01a20450-7f8e-7a91-bb7e-642d00f5e00a", headers=scopes)
    assert (missing.status_code, missing.json()["code"]) in {(503, "storage_unavailable"), (404, "not_found")}
    erased = await api.delete("/v1/users/ana", headers=scopes)
    assert (erased.status_code, erased.json().get("pending")) == (200, ["history"])
