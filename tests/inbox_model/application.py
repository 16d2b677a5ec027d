"""The application's side of a tenant: plain HTTP requests."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.inbox_model.terms import Filter, Marking, Marks, To
from tests.support.stack import Installation

Json = dict[str, Any]
SCOPES = "send read groups users"
PAGE = 200


def milliseconds(time: str | None) -> int | None:
    """An RFC 3339 time as Unix milliseconds."""
    return None if time is None else round(datetime.fromisoformat(time).timestamp() * 1000)


def timestamp(at: int) -> str:
    """Unix milliseconds as RFC 3339."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")


def marks_of(item: Json) -> Marks:
    """The marks of an item of a list, with times as Unix milliseconds."""
    used = item["action"] or {"id": None, "at": None}
    seen, read, archived = (milliseconds(item[f"{kind}_at"]) for kind in ("seen", "read", "archived"))
    snoozed = milliseconds(item["snoozed_until"])
    return Marks(seen, read, archived, snoozed, action=used["id"], acted=milliseconds(used["at"]))


def target(to: To) -> Json:
    """The body of a target."""
    body: Json = {"users": to.users, "groups": to.groups, "exclude": sorted(to.exclude)}
    return {name: list(value) for name, value in body.items() if value} | ({"all": True} if to.all else {})


def marking_body(marking: Marking) -> Json:
    """The body of a mark, the same by REST and in a frame."""
    body: Json = {"state": marking.state}
    if marking.ids is not None:
        body["ids"] = list(marking.ids)
    if marking.up_to is not None:
        body["up_to"] = dict(marking.up_to)
    if marking.all:
        body["all"] = True
    if marking.category is not None:
        body["category"] = marking.category
    return body


class Application:
    """Requests with a key of the tenant; an unexpected answer is an AssertionError."""

    def __init__(self, client: httpx.AsyncClient, installation: Installation) -> None:
        self._client = client
        self._installation = installation
        self._tokens: dict[tuple[str, str], str] = {}

    def token(self, subject: str, scope: str = "inbox") -> str:
        """A token, made once per subject and scope."""
        known = self._tokens.get((subject, scope))
        if known is None:
            known = self._tokens[subject, scope] = self._installation.token(subject, scope)
        return known

    async def ask(
        self,
        method: str,
        path: str,
        *,
        expect: int = 200,
        own: str | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Any:
        """One request, with the token of the user `own` if given; the JSON of the answer, None if empty."""
        token = self.token(own) if own is not None else self.token("model", SCOPES)
        answer = await self._client.request(
            method,
            self._installation.api + path,
            json=body,
            headers={"Authorization": f"Bearer {token}", **(headers or {})},
            params={name: value for name, value in query.items() if value is not None},
        )
        request = f"{method} {path} {query} {body}"
        assert answer.status_code == expect, f"{request}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def poll(self, user: str, tag: str | None) -> tuple[str, Json | None]:
        """The ETag and the first page of an inbox; the page is None when it still has the ETag `tag`."""
        answer = await self._client.get(
            f"{self._installation.api}/v1/users/{user}/notifications",
            params={"limit": PAGE, "counts": "category"},
            headers={
                "Authorization": f"Bearer {self.token('model', SCOPES)}",
                **({"If-None-Match": tag} if tag is not None else {}),
            },
        )
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            assert not answer.content
            return answer.headers["etag"], None
        answer.raise_for_status()
        return answer.headers["etag"], answer.json()

    async def pages(self, path: str, *, limit: int = PAGE, **query: Any) -> list[Json]:
        """All items of a list, read page by page."""
        items: list[Json] = []
        cursor = None
        while True:
            page = await self.ask("GET", path, limit=limit, cursor=cursor, **query)
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return items

    async def inbox(self, user: str, by: Filter = Filter(), **query: Any) -> Json:  # noqa: B008 - a tuple
        """An inbox: its first page, with the items of all pages."""
        path = f"/v1/users/{user}/notifications"
        query = {"limit": PAGE} | filter_query(by) | query
        page: Json = await self.ask("GET", path, **query)
        cursor = page["next"]
        while cursor is not None:
            more = await self.ask("GET", path, **query, cursor=cursor)
            page["items"] += more["items"]
            cursor = more["next"]
        return page

    async def sent(self, ids: Iterable[str]) -> list[Json]:
        """Notifications as the sender sees them."""
        return list(await asyncio.gather(*(self.ask("GET", f"/v1/notifications/{id}") for id in ids)))


def filter_query(by: Filter) -> Json:
    """The query of a filter."""
    query: Json = {"state": by.state, "category": by.category, "log": by.log}
    if by.after is not None:
        query["after"] = timestamp(by.after)
    if by.before is not None:
        query["before"] = timestamp(by.before)
    return query
