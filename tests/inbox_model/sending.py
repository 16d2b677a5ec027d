"""Sending, recalling, and reading by pages."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from tests.inbox_model import checks
from tests.inbox_model.application import Json, milliseconds, target
from tests.inbox_model.device import Event
from tests.inbox_model.scene import PATIENCE_SECONDS, Disagreement, Scene
from tests.inbox_model.terms import Item, Place, Sent, To
from tidings_workers.store.ids import milliseconds_of_id


def actions(category: str | None) -> tuple[str, ...]:
    """The actions that a notification of a category has."""
    return () if category == "chat" else ("yes", "no")


class Sending:
    """Sends and recalls of an application."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def send(
        self,
        sends: Sequence[tuple[To, str | None, int | None]],
        then: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Send one, or several as a batch, then run `then`; on return they are stored."""
        bodies = []
        for number, (to, category, expires_in) in enumerate(sends, len(self._scene.model.sent) + 1):
            body: Json = {"to": target(to), "title": f"Number {number}"}
            body |= {"category": category} if category is not None else {}
            if known := actions(category):
                body["actions"] = [{"id": id, "label": id} for id in known]
            body |= {"expires_in": expires_in} if expires_in is not None else {}
            bodies.append(body)
        if len(bodies) == 1:
            answer = await self._scene.application.ask(
                "POST", "/v1/notifications", expect=202, body=bodies[0]
            )
            ids = [answer["id"]]
        else:
            body = {"notifications": bodies}
            answer = await self._scene.application.ask(
                "POST", "/v1/notifications/batch", expect=202, body=body
            )
            ids = [result["id"] for result in answer["results"]]
        # The acceptance decides recipients and positions.
        heads = {user: self._scene.model.own_head(user) for user in self._scene.model.users}
        for id, (to, category, expires_in) in zip(ids, sends, strict=True):
            accepted = milliseconds_of_id(id)
            expires = None if expires_in is None else accepted + expires_in * 1000
            reached = self._scene.model.reached(to)
            sent = Sent(id, to, category, accepted, expires, reached, actions(category))
            self._scene.model.accept(sent)
        if then is not None:
            await then()
        for actual in await self._stored(ids):
            sent = self._scene.model.sent[actual["id"]]
            times = milliseconds(actual["created_at"]), milliseconds(actual.get("expires_at"))
            if times != (sent.accepted, sent.expires):
                raise Disagreement(f"{actual} instead of {sent.accepted} and {sent.expires}")
        if any(self._scene.model.sent[id].kind == "compound" for id in ids):
            await self._find_copies(heads)
        self._expect(dict.fromkeys(ids))

    async def _stored(self, ids: Sequence[str]) -> list[Json]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            actual = await self._scene.application.sent(ids)
            if all(each["status"] == "stored" for each in actual):
                return actual
            if time.monotonic() > deadline:
                raise Disagreement(f"not stored: {actual}")

    async def _find_copies(self, heads: Mapping[str, int]) -> None:
        for user, head in heads.items():
            page = await self._scene.application.inbox(user, log="user")
            copies = {
                item["position"]: sent
                for item in page["items"]
                if (sent := self._scene.model.sent.get(item["notification"]["id"])) is not None
                and sent.kind == "compound"
                and item["position"] > head
            }
            self._scene.model.copied(user, head, page["positions"]["user"], copies)

    def _expect(self, ids: Mapping[str, None]) -> None:
        """Expect the sends on every connected device."""
        for device in self._scene.devices:
            if device.is_open:
                for item in self._scene.model.items(device.user):
                    if item.sent.id in ids:
                        device.expected.setdefault(item.place.log, []).append(item.place.position)

    async def recall(self, sent: Sent) -> None:
        """Recall a notification; every connected device that has it is due a frame."""
        await self._scene.application.ask("DELETE", f"/v1/notifications/{sent.id}", expect=204)
        for user, item in self._scene.model.recall(sent):
            for device in self._scene.open_devices(user):
                self._scene.due(device, Event("recalled", sent.id, *item.place))

    async def walk(self, user: str, limit: int, between: Callable[[], Awaitable[None]]) -> None:
        """Page through an inbox, with an action after the first page: each remaining item is listed once."""
        expected = {item.place: item for item in self._scene.model.listed(user)}
        path = f"/v1/users/{user}/notifications"
        page = await self._scene.application.ask("GET", path, limit=limit)
        first = page
        items = list(page["items"])
        await between()
        while page["next"] is not None:
            page = await self._scene.application.ask("GET", path, limit=limit, cursor=page["next"])
            items += page["items"]
            if not page["items"]:
                break
            back = await self._scene.application.ask("GET", path, limit=limit, cursor=page["previous"])
            known = [(item["log"], item["position"]) for item in items[: -len(page["items"])]]
            if [(item["log"], item["position"]) for item in back["items"]] != known[
                -limit:
            ] and page is not first:
                raise Disagreement(f"back from {page['items'][0]} are {back['items']}, not {known[-limit:]}")
        remaining: list[Item] = [item for item in self._scene.model.listed(user) if item.place in expected]
        on_first = {Place(item["log"], item["position"]) for item in first["items"]}
        wanted = [item for item in remaining if item.place not in on_first]
        rest = items[len(first["items"]) :]
        differences = list(checks.listed(rest, wanted, self._scene.moments))
        if differences:
            raise Disagreement(f"{user}'s pages after the first: " + "; ".join(differences))
