"""Marks of every kind, and checks of their answers."""

import asyncio
from collections.abc import Sequence
from itertools import count

from tests.inbox_model.application import Json, marking_body
from tests.inbox_model.device import Device, Event
from tests.inbox_model.scene import Disagreement, Scene
from tests.inbox_model.terms import Marking, Outcome
from tests.support.realtime import Frame


class Marker:
    """Changes of state, by REST and by frames."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._moment = count(1)
        self._ref = count(1)

    async def mark(self, user: str, marking: Marking, by: Device | str) -> None:
        """Mark by a frame of a device, or by REST as "application" or "user", and check the answer."""
        if isinstance(by, Device):
            answer = await self._mark_frame(by, marking)
            outcome = self._marked(user, marking, by)
            self._check_frame(by, marking, outcome, answer)
        else:
            path = "/v1/me/notifications/mark" if by == "user" else f"/v1/users/{user}/notifications/mark"
            answer = await self._scene.application.ask(
                "POST", path, own=user if by == "user" else None, body=marking_body(marking)
            )
            outcome = self._marked(user, marking, None)
            if answer["changed"] != len(outcome.changed):
                raise Disagreement(f"{answer} instead of {outcome}")
        self._check_answer(user, outcome, answer)
        page = await self._scene.application.inbox(user)
        if {name: page["counts"][name] for name in ("unseen", "unread")} != self._scene.model.counts(user):
            raise Disagreement(f"counts after the mark are {page['counts']}")

    async def _mark_frame(self, device: Device, marking: Marking) -> Frame:
        ref = f"mark-{next(self._ref)}"
        await device.send("mark", ref=ref, **marking_body(marking))
        return await device.answer(ref)

    def _marked(self, user: str, marking: Marking, by: Device | None) -> Outcome:
        outcome = self._scene.model.mark(user, marking, next(self._moment))
        for device in self._scene.open_devices(user):
            if device is by or outcome.changed:
                self._scene.due(device, Event("state", mine=device is by))
        return outcome

    def _check_answer(self, user: str, outcome: Outcome, answer: Json) -> None:
        counts = {name: answer["counts"][name] for name in ("unseen", "unread")}
        if counts != self._scene.model.counts(user):
            raise Disagreement(
                f"the answer has {counts} instead of {self._scene.model.counts(user)}: {answer}"
            )
        if sorted(answer.get("unknown", [])) != sorted(outcome.unknown):
            raise Disagreement(f"unknown is {answer.get('unknown')} instead of {outcome.unknown}: {answer}")

    @staticmethod
    def _check_frame(device: Device, marking: Marking, outcome: Outcome, answer: Frame) -> None:
        if answer["type"] != "state":
            raise Disagreement(f"{device} was answered {answer}")
        if not _describes(answer, marking, outcome):
            raise Disagreement(f"{device} was answered {answer} instead of {outcome}")

    async def mark_at_once(self, marks: Sequence[tuple[Device, Marking]]) -> None:
        """Devices of one user mark concurrently: the versions of the answers give the order."""
        answers = await asyncio.gather(*(self._mark_frame(device, marking) for device, marking in marks))
        # A mark that changed nothing has the version of the change before it.
        order = sorted(
            range(len(marks)),
            key=lambda n: (answers[n]["state_version"], answers[n].get("changes") == []),
        )
        for n in order:
            device, marking = marks[n]
            outcome = self._marked(device.user, marking, device)
            self._check_frame(device, marking, outcome, answers[n])
        self._scene.script.append("     carried out in the order " + ", ".join(str(n + 1) for n in order))

    async def refuse_mark(self, device: Device, body: Json) -> None:
        """An invalid mark is answered by an error with its ref."""
        ref = f"mark-{next(self._ref)}"
        await device.send("mark", ref=ref, **body)
        answer = await device.answer(ref)
        if (answer["type"], answer.get("code")) != ("error", "invalid_request"):
            raise Disagreement(f"{body} was answered {answer}")


def _describes(answer: Frame, marking: Marking, outcome: Outcome) -> bool:
    """Whether an answer describes a mark: by the ids that it changed, or else in its own terms."""
    if marking.ids is None and outcome.changed:
        return "changes" not in answer
    return sorted(change["id"] for change in answer.get("changes", ())) == sorted(outcome.changed)
