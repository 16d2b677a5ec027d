"""Groups and their members."""

import time
from collections.abc import Sequence

from tests.inbox_model.device import Event
from tests.inbox_model.scene import PATIENCE_SECONDS, Disagreement, Scene


class Memberships:
    """Joins and leaves, one by one and in bulk."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def change_members(self, group: str, add: Sequence[str], remove: Sequence[str]) -> None:
        """Change members in bulk; on return the users' sides are current."""
        answer = await self._scene.application.ask(
            "POST", f"/v1/groups/{group}/members", body={"add": add, "remove": remove}
        )
        joined, left = self._join(group, add), self._leave(group, remove)
        if answer != {"added": joined, "removed": left}:
            raise Disagreement(f"{answer} instead of {joined} added and {left} removed")
        await self._memberships_known()

    async def join(self, group: str, user: str) -> None:
        """One by one."""
        await self._scene.application.ask("PUT", f"/v1/groups/{group}/members/{user}", expect=204)
        self._join(group, [user])
        await self._memberships_known()

    async def leave(self, group: str, user: str) -> None:
        """One by one."""
        await self._scene.application.ask("DELETE", f"/v1/groups/{group}/members/{user}", expect=204)
        self._leave(group, [user])
        await self._memberships_known()

    async def delete_group(self, group: str) -> None:
        """Delete the group: all members leave."""
        await self._scene.application.ask("DELETE", f"/v1/groups/{group}", expect=204)
        self._leave(group, sorted(self._scene.model.members.get(group, ())))
        await self._memberships_known()

    def _join(self, group: str, users: Sequence[str]) -> int:
        return self._moved("joined", group, [user for user in users if self._scene.model.join(group, user)])

    def _leave(self, group: str, users: Sequence[str]) -> int:
        return self._moved("left", group, [user for user in users if self._scene.model.leave(group, user)])

    def _moved(self, type: str, group: str, users: Sequence[str]) -> int:
        log = f"group:{group}"
        for user in users:
            for device in self._scene.open_devices(user):
                self._scene.due(device, Event(type, "", log, self._scene.model.end(user, log)))
        return len(users)

    async def _memberships_known(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        for user in self._scene.model.users:
            expected = sorted(
                group for group, members in self._scene.model.members.items() if user in members
            )
            while True:
                actual = [
                    group["id"] for group in await self._scene.application.pages(f"/v1/users/{user}/groups")
                ]
                if actual == expected:
                    break
                if time.monotonic() > deadline:
                    raise Disagreement(f"{user} is in {actual} instead of {expected}")
