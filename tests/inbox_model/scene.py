"""One example: a fresh tenant, its model, its devices, and what is done to all three.

Every step ends when everything agrees again, or fails with what does not. What was done is written down
in `script`, to be read by people.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from typing import Any

from tests.inbox_model import checks
from tests.inbox_model.application import Application, Json, marking_body, milliseconds, target
from tests.inbox_model.device import Device, News, settle_all
from tests.inbox_model.model import Filter, Item, Marking, Model, Outcome, Place, Sent, To
from tests.support.realtime import Frame, Realtime

PATIENCE_SECONDS = 6.0
# What ends within this time has ended before a step is begun, so that no step meets a moment at which
# the right answer changes.
CLEAR_MS = 700


def now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Disagreement(AssertionError):
    """Model and system do not agree."""


class Scene:
    """A tenant under test. `gateways` are the ports of the gateways."""

    def __init__(self, application: Application, gateways: Sequence[int], users: Sequence[str]) -> None:
        self.application = application
        self.gateways = [Realtime(port, lambda user, **_: application.token(user)) for port in gateways]
        self.model = Model(users)
        self.moments = checks.Moments()
        self.versions = {user: checks.Versions() for user in users}
        self.devices: list[Device] = []
        # What the server keeps of devices that named themselves.
        self.remembered: dict[tuple[str, str], dict[str, int]] = {}
        self.script: list[str] = []
        self.abandoned = False
        self._moment = count(1)
        self._ref = count(1)

    # Steps

    async def step(self, does: str, action: Callable[[], Awaitable[None]]) -> None:
        """Do one thing, then wait until everything agrees."""
        if self.abandoned:
            return
        await self.let_expire(now() + CLEAR_MS)
        self._begin(does)
        await action()
        if any(sent.expires is not None and sent.expires <= now() for sent in self.model.expiring()):
            # This machine was so slow that nobody knows what came first.
            self.script.append("   (abandoned: too slow to know what was there)")
            self.abandoned = True
            return
        await self.agree()

    def _begin(self, does: str) -> None:
        self.script.append(f"{len(self.script) + 1:3}. {does}")
        for device in self.devices:
            device.begin()

    async def let_expire(self, until: int) -> None:
        """Wait for what ends by itself until then, and for everybody to know."""
        due = [sent for sent in self.model.expiring() if (sent.expires or 0) <= until]
        if due:
            self._begin("wait until these have ended: " + ", ".join(self.name(sent.id) for sent in due))
            await self._wait_past(max(sent.expires or 0 for sent in due))
            await self.agree()

    async def _wait_past(self, at: int) -> None:
        await asyncio.sleep(max(0, at - now() + 5) / 1000)
        self._expire()

    def _expire(self) -> None:
        """What has ended by itself is gone; the devices that counted it are to be told."""
        at = now()
        due = [sent for sent in self.model.expiring() if (sent.expires or 0) <= at]
        for device in self.devices:
            items = self.model.listed(device.user)
            device.counts_due |= any(item.sent in due and item.marks.read is None for item in items)
        for sent in due:
            sent.expired = True

    async def agree(self) -> None:
        """Until all is as in the model; Disagreement where it does not get so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            begun = now()
            self._expire()
            differences = await self.differences()
            on_edge = [s for s in self.model.expiring() if begun - 5 <= (s.expires or 0) <= now() + 5]
            if on_edge:
                await self._wait_past(max(sent.expires or 0 for sent in on_edge))
                continue
            if not differences:
                return
            if time.monotonic() > deadline:
                raise Disagreement("\n".join(differences))
            await asyncio.sleep(0.01)

    async def differences(self) -> list[str]:
        """What does not agree at this moment."""
        await settle_all(self.devices)
        for device in self.devices:
            device.forget_expired(now())
            if device.must_reload:
                page, archived = await self.everything(device.user)
                device.load(page["items"] + archived["items"])
        model, application = self.model, self.application
        found = checks.on_devices(self.devices, model, self.moments, self.versions)
        for each in await asyncio.gather(
            checks.inboxes(application, model, self.moments, self.versions),
            checks.receipts(application, model),
            checks.presences(application, model, self.devices),
            checks.groups(application, model),
        ):
            found += each
        return found

    async def everything(self, user: str) -> tuple[Json, Json]:
        """A user's inbox, and the archived."""
        return await asyncio.gather(
            self.application.inbox(user), self.application.inbox(user, Filter(state="archived"))
        )

    # Names for people

    def name(self, id: str) -> str:
        """A notification by its number."""
        ids = list(self.model.sent)
        return f"#{ids.index(id) + 1}" if id in self.model.sent else id

    # Sending

    async def send(self, sends: Sequence[tuple[To, str | None, int | None]]) -> None:
        """One send, or several as a batch; returns when they are stored."""
        bodies = []
        for number, (to, category, expires_in) in enumerate(sends, len(self.model.sent) + 1):
            body: Json = {"to": target(to), "title": f"Number {number}"}
            body |= {"category": category} if category is not None else {}
            body |= {"expires_in": expires_in} if expires_in is not None else {}
            bodies.append(body)
        if len(bodies) == 1:
            answer = await self.application.ask("POST", "/v1/notifications", expect=202, body=bodies[0])
            ids = [answer["id"]]
        else:
            body = {"notifications": bodies}
            answer = await self.application.ask("POST", "/v1/notifications/batch", expect=202, body=body)
            ids = [result["id"] for result in answer["results"]]
        heads = {user: self.model.own_head(user) for user in self.model.users}
        stored = await self._stored(ids)
        for told, (to, category, _) in zip(stored, sends, strict=True):
            created = milliseconds(told["created_at"])
            assert created is not None
            expires = milliseconds(told.get("expires_at"))
            sent = Sent(told["id"], to, category, created, expires, self.model.reached(to))
            self.model.accept(sent)
        if any(self.model.sent[id].kind == "compound" for id in ids):
            await self._find_copies(heads)
        self._expect(dict.fromkeys(ids))

    async def _stored(self, ids: Sequence[str]) -> list[Json]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            told = await self.application.sent(ids)
            if all(each["status"] == "stored" for each in told):
                return told
            if time.monotonic() > deadline:
                raise Disagreement(f"not stored: {told}")

    async def _find_copies(self, heads: Mapping[str, int]) -> None:
        for user, head in heads.items():
            page = await self.application.inbox(user, log="user")
            copies = {
                item["position"]: sent
                for item in page["items"]
                if (sent := self.model.sent.get(item["notification"]["id"])) is not None
                and sent.kind == "compound"
                and item["position"] > head
            }
            self.model.copied(user, head, page["positions"]["user"], copies)

    def _expect(self, ids: Mapping[str, None]) -> None:
        """What was sent comes to every device that is connected."""
        for device in self.devices:
            if device.is_open:
                for item in self.model.items(device.user):
                    if item.sent.id in ids:
                        device.expected.setdefault(item.place.log, []).append(item.place.position)

    async def recall(self, sent: Sent) -> None:
        """Take back; it is to leave every device that has it."""
        await self.application.ask("DELETE", f"/v1/notifications/{sent.id}", expect=204)
        for user, item in self.model.recall(sent):
            for device in self._open(user):
                self._due(device, News("recalled", sent.id, *item.place))

    # Groups

    async def change_members(self, group: str, add: Sequence[str], remove: Sequence[str]) -> None:
        """In bulk; returns when the users' side knows as well."""
        answer = await self.application.ask(
            "POST", f"/v1/groups/{group}/members", body={"add": add, "remove": remove}
        )
        joined, left = self._join(group, add), self._leave(group, remove)
        if answer != {"added": joined, "removed": left}:
            raise Disagreement(f"{answer} instead of {joined} added and {left} removed")
        await self._memberships_known()

    async def join(self, group: str, user: str) -> None:
        """One by one."""
        await self.application.ask("PUT", f"/v1/groups/{group}/members/{user}", expect=204)
        self._join(group, [user])
        await self._memberships_known()

    async def leave(self, group: str, user: str) -> None:
        """One by one."""
        await self.application.ask("DELETE", f"/v1/groups/{group}/members/{user}", expect=204)
        self._leave(group, [user])
        await self._memberships_known()

    async def delete_group(self, group: str) -> None:
        """Everybody leaves."""
        await self.application.ask("DELETE", f"/v1/groups/{group}", expect=204)
        self._leave(group, sorted(self.model.members.get(group, ())))
        await self._memberships_known()

    def _join(self, group: str, users: Sequence[str]) -> int:
        return self._moved("joined", group, [user for user in users if self.model.join(group, user)])

    def _leave(self, group: str, users: Sequence[str]) -> int:
        return self._moved("left", group, [user for user in users if self.model.leave(group, user)])

    def _moved(self, type: str, group: str, users: Sequence[str]) -> int:
        log = f"group:{group}"
        for user in users:
            for device in self._open(user):
                self._due(device, News(type, "", log, self.model.end(user, log)))
        return len(users)

    async def _memberships_known(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        for user in self.model.users:
            expected = sorted(group for group, members in self.model.members.items() if user in members)
            while True:
                told = [group["id"] for group in await self.application.pages(f"/v1/users/{user}/groups")]
                if told == expected:
                    break
                if time.monotonic() > deadline:
                    raise Disagreement(f"{user} is in {told} instead of {expected}")

    # State

    async def mark(self, user: str, marking: Marking, by: Device | str) -> None:
        """By a frame of a device, or by REST: "application" or "user". Its own answer holds already."""
        if isinstance(by, Device):
            answer = await self._mark_frame(by, marking)
            outcome = self._marked(user, marking, by)
            self._check_frame(by, marking, outcome, answer)
        else:
            path = "/v1/me/notifications/mark" if by == "user" else f"/v1/users/{user}/notifications/mark"
            answer = await self.application.ask(
                "POST", path, own=user if by == "user" else None, body=marking_body(marking)
            )
            outcome = self._marked(user, marking, None)
            if answer["changed"] != len(outcome.changed):
                raise Disagreement(f"{answer} instead of {outcome}")
        self._check_answer(user, outcome, answer)
        page = await self.application.inbox(user)
        if {name: page["counts"][name] for name in ("unseen", "unread")} != self.model.counts(user):
            raise Disagreement(f"counts after the mark are {page['counts']}")

    async def _mark_frame(self, device: Device, marking: Marking) -> Frame:
        ref = f"mark-{next(self._ref)}"
        await device.send("mark", ref=ref, **marking_body(marking))
        return await device.answer(ref)

    def _marked(self, user: str, marking: Marking, by: Device | None) -> Outcome:
        outcome = self.model.mark(user, marking, next(self._moment))
        for device in self._open(user):
            if device is by or outcome.changed:
                self._due(device, News("state", mine=device is by))
        return outcome

    def _check_answer(self, user: str, outcome: Outcome, answer: Json) -> None:
        counts = {name: answer["counts"][name] for name in ("unseen", "unread")}
        if counts != self.model.counts(user):
            raise Disagreement(f"the answer has {counts} instead of {self.model.counts(user)}: {answer}")
        if sorted(answer.get("unknown", [])) != sorted(outcome.unknown):
            raise Disagreement(f"unknown is {answer.get('unknown')} instead of {outcome.unknown}: {answer}")

    @staticmethod
    def _check_frame(device: Device, marking: Marking, outcome: Outcome, answer: Frame) -> None:
        if answer["type"] != "state":
            raise Disagreement(f"{device} was answered {answer}")
        changes = [change["id"] for change in answer.get("changes", ())]
        if marking.ids is not None and sorted(changes) != sorted(outcome.changed):
            raise Disagreement(f"{device} was told {changes} instead of {outcome.changed}")

    async def mark_at_once(self, marks: Sequence[tuple[Device, Marking]]) -> None:
        """Devices of one user mark at the same time: as if one after the other, and each is told of both."""
        answers = await asyncio.gather(*(self._mark_frame(device, marking) for device, marking in marks))
        # The versions of their answers say in which order they were taken. A mark that changed nothing has
        # the version of the one before.
        order = sorted(
            range(len(marks)),
            key=lambda n: (answers[n]["state_version"], answers[n].get("changes") == []),
        )
        for n in order:
            device, marking = marks[n]
            outcome = self._marked(device.user, marking, device)
            self._check_frame(device, marking, outcome, answers[n])
        self.script.append("     taken in the order " + ", ".join(str(n + 1) for n in order))

    async def refuse_mark(self, device: Device, body: Json) -> None:
        """A mark that is none is answered by an error with its ref."""
        ref = f"mark-{next(self._ref)}"
        await device.send("mark", ref=ref, **body)
        answer = await device.answer(ref)
        if (answer["type"], answer.get("code")) != ("error", "invalid_request"):
            raise Disagreement(f"{body} was answered {answer}")

    # Devices

    def _open(self, user: str) -> list[Device]:
        return [device for device in self.devices if device.is_open and device.user == user]

    @staticmethod
    def _due(device: Device, news: News) -> None:
        if device.due is not None:
            device.due[news] += 1

    async def list_only(self, device: Device) -> None:
        """A client that has only listed so far, and may resume from there later."""
        page, archived = await self.everything(device.user)
        device.start(page)
        device.load(page["items"] + archived["items"])
        self.devices.append(device)

    async def connect_anew(self, device: Device, gateway: int) -> None:
        """A client that lists, then connects at the ends. One that named itself is remembered from there."""
        await self.list_only(device)
        await device.connect(self.gateways[gateway], None)
        self._check_welcome(device, self._ends(device.user))
        if device.name is not None:
            await device.catch_up()
            self.remembered[device.user, device.name] = dict(device.welcome["positions"])

    async def connect_by_name(self, device: Device, gateway: int) -> None:
        """A device that only says its name goes on after what it acknowledged; states it reads anew."""
        assert device.name is not None
        start = self.remembered[device.user, device.name]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            await device.connect(self.gateways[gateway], None)
            told = device.welcome["positions"]
            # An acknowledgement is stored a moment later: until then more than necessary may come.
            if time.monotonic() > deadline or all(told[log] >= start.get(log, 0) for log in told):
                break
            await device.disconnect()
        await self._replay(device, start, named=set(start))
        await self._load_states(device)

    async def resume(self, device: Device, gateway: int, *, told_states: bool, from_nothing: bool) -> None:
        """A client that says where it stands, and perhaps which states it knows."""
        if from_nothing:
            device.positions, device.held = {}, {}
        start = dict(device.positions)
        resume: dict[str, Any] = {"epoch": device.epoch, "positions": start}
        if told_states:
            resume["state_version"] = device.state_version
        await device.connect(self.gateways[gateway], resume)
        if device.name is not None:
            self.remembered[device.user, device.name] = dict(device.welcome["positions"])
        await self._replay(device, start, named=set(start))
        if told_states:
            device.due = None
        else:
            await self._load_states(device)

    async def _replay(self, device: Device, start: Mapping[str, int], named: set[str]) -> None:
        user, model = device.user, self.model
        # What was recalled while it was away it is not told; it is none of its business any more.
        device.let_go({sent.id for sent in model.sent.values() if sent.recalled})
        self._check_welcome(device, {log: start.get(log, 0) for log in model.logs(user)})
        for item in model.items(user):
            if item.place.position > start.get(item.place.log, 0):
                device.expected.setdefault(item.place.log, []).append(item.place.position)
        for log in model.logs(user):
            if log in named and not model.is_member(user, log):
                self._due(device, News("left", "", log, model.end(user, log)))
        if device.welcome["resume"] != "complete":
            raise Disagreement(f"{device} was welcomed with {device.welcome}")
        await device.catch_up()
        assert device.caught_up is not None
        self._check_positions(device, device.caught_up, self._ends(user))

    async def _load_states(self, device: Device) -> None:
        """What it holds is right but for the states, which it was not told."""
        page, archived = await self.everything(device.user)
        items = page["items"] + archived["items"]
        listed = {Place(item["log"], item["position"]) for item in items}
        if device.held.keys() - listed or listed - device.held.keys():
            raise Disagreement(f"{device} holds {sorted(device.held)}, listed are {sorted(listed)}")
        device.load(items)

    def _ends(self, user: str) -> dict[str, int]:
        return {log: self.model.end(user, log) for log in self.model.logs(user)}

    def _check_positions(self, device: Device, frame: Frame, expected: Mapping[str, int]) -> None:
        told = frame["positions"]
        differences = list(checks.at_positions(told, expected, self.model, device.user))
        if differences:
            raise Disagreement(f"{device} was told {frame}: " + "; ".join(differences))

    def _check_welcome(self, device: Device, positions: Mapping[str, int]) -> None:
        self._check_positions(device, device.welcome, positions)
        counts = {name: device.welcome["counts"][name] for name in ("unseen", "unread")}
        if counts != self.model.counts(device.user):
            raise Disagreement(
                f"{device} was welcomed with {counts} instead of {self.model.counts(device.user)}"
            )

    async def acknowledge(self, device: Device, positions: Mapping[str, int]) -> None:
        """Everything up to these positions arrived."""
        await device.send("ack", positions=dict(positions))
        places = {
            Place(log, position)
            for log, known in device.received.items()
            for position in known
            if position <= positions.get(log, 0)
        }
        self.model.delivered(device.user, places)
        if device.name is not None:
            remembered = self.remembered[device.user, device.name]
            for log, position in positions.items():
                if log in self.model.logs(device.user):
                    cut = min(position, self.model.end(device.user, log))
                    remembered[log] = max(cut, remembered.get(log, 0))

    # Lists

    async def walk(self, user: str, limit: int, between: Callable[[], Awaitable[None]]) -> None:
        """Page through an inbox while something happens after the first page: what stayed is there once."""
        expected = {item.place: item for item in self.model.listed(user)}
        path = f"/v1/users/{user}/notifications"
        page = await self.application.ask("GET", path, limit=limit)
        first = page
        items = list(page["items"])
        await between()
        while page["next"] is not None:
            page = await self.application.ask("GET", path, limit=limit, cursor=page["next"])
            items += page["items"]
            if not page["items"]:
                break
            back = await self.application.ask("GET", path, limit=limit, cursor=page["previous"])
            known = [(item["log"], item["position"]) for item in items[: -len(page["items"])]]
            if [(item["log"], item["position"]) for item in back["items"]] != known[
                -limit:
            ] and page is not first:
                raise Disagreement(f"back from {page['items'][0]} are {back['items']}, not {known[-limit:]}")
        now_there: list[Item] = [item for item in self.model.listed(user) if item.place in expected]
        seen_before = {Place(item["log"], item["position"]) for item in first["items"]}
        wanted = [item for item in now_there if item.place not in seen_before]
        rest = items[len(first["items"]) :]
        differences = list(checks.listed(rest, wanted, self.moments))
        if differences:
            raise Disagreement(f"{user}'s pages after the first: " + "; ".join(differences))

    async def end(self) -> None:
        """Close every connection."""
        for device in self.devices:
            await device.disconnect(abruptly=True)
