"""Snoozes from any device, their ends, and the returns at their times."""

from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.inbox_model.acting import ActingMachine
from tests.inbox_model.application import timestamp
from tests.inbox_model.choices import pick, users
from tests.inbox_model.device import Event
from tests.inbox_model.scene import Disagreement, Scene, now

# Seconds; short ones return during the example, and are rarer, because a test has to wait for them.
LENGTHS: Final = (3600, 3600, 7200, 2, None, None)
# A time that a test gives is the same for several requests within so many milliseconds.
_ROUND: Final = 60_000


class Snoozer:
    """Snoozes by REST, as the application or as the user."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def snooze(self, user: str, ids: Sequence[str], seconds: int | None, by: str) -> None:
        """Snooze, or end that with None, and check the answer."""
        scene = self._scene
        until = None
        if seconds is not None:
            until = now() + seconds * 1000
            until -= until % _ROUND if seconds > _ROUND // 1000 else 0
        answer = await scene.application.ask(
            "POST",
            f"/v1/{'me' if by == 'user' else f'users/{user}'}/notifications/snooze",
            own=user if by == "user" else None,
            body={"ids": list(ids), "until": None if until is None else timestamp(until)},
        )
        outcome = scene.model.snooze(user, ids, until)
        if outcome.changed:
            for device in scene.open_devices(user):
                scene.due(device, Event("state"))
        if answer["changed"] != len(outcome.changed):
            raise Disagreement(f"{answer} instead of {outcome}")
        if sorted(answer.get("unknown", [])) != sorted(outcome.unknown):
            raise Disagreement(f"{answer} instead of {outcome}")
        if {name: answer["counts"][name] for name in ("unseen", "unread")} != scene.model.counts(user):
            raise Disagreement(f"{answer} instead of {scene.model.counts(user)}")


class SnoozingMachine(ActingMachine):
    """The machine with snoozes."""

    def __init__(self) -> None:
        super().__init__()
        self.snoozer = Snoozer(self.scene)

    @rule(
        user=users,
        picked=st.lists(pick, min_size=1, max_size=4),
        seconds=st.sampled_from(LENGTHS),
        by=st.sampled_from(["application", "user"]),
        strange=st.sampled_from([False, False, False, True]),
    )
    def snooze(self, user: str, picked: Sequence[int], seconds: int | None, by: str, strange: bool) -> None:
        """Snooze items of an inbox, snoozed and archived ones too, or end their snooze."""
        ids = [item.sent.id for item in self._items(user, picked)]
        if strange and self.scene.model.sent:
            ids += [self._sent(picked[0]).id, "nonsense"]
        ids = list(dict.fromkeys(ids))
        names = ", ".join(map(self.scene.name, ids))
        does = "ends the snooze of" if seconds is None else f"snoozes for {seconds} s"
        self._do(f"{by} {does} {user}'s {names}", lambda: self.snoozer.snooze(user, ids, seconds, by))
