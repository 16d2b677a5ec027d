"""Clients that connect, disconnect, resume and acknowledge."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.inbox_model import checks
from tests.inbox_model.device import Device, Event
from tests.inbox_model.scene import PATIENCE_SECONDS, Disagreement, Scene
from tests.inbox_model.terms import Place
from tests.support.realtime import Frame


class Clients:
    """The actions of devices other than marks."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        # The last known positions of devices whose gateway was killed.
        self._lost: dict[tuple[str, str], dict[str, int]] = {}

    async def _connect(self, device: Device, gateway: int, resume: Mapping[str, Any] | None) -> None:
        device.gateway = gateway
        await device.connect(self._scene.gateways[gateway], resume)

    async def lose_gateway(self, gateway: int, kill: Callable[[], None]) -> None:
        """Kill a gateway and start another; its connections are lost.

        Acknowledgements that it had not stored are lost, so its devices must resume with positions.
        """
        kill()
        for device in self._scene.devices:
            if device.is_open and device.gateway == gateway:
                await device.disconnect(abruptly=True)
                if device.name is not None:
                    key = device.user, device.name
                    self._lost[key] = self._scene.remembered.pop(key)

    async def list_only(self, device: Device) -> None:
        """A client that lists the inbox without connecting; it may resume from there later."""
        page, items = await self._scene.everything(device.user)
        device.start(page)
        device.load(items)
        self._scene.devices.append(device)

    async def connect_fresh(self, device: Device, gateway: int) -> None:
        """A client that lists, then connects at the ends; the server stores the start of a named one."""
        await self.list_only(device)
        await self._connect(device, gateway, None)
        self._check_welcome(device, self._scene.ends(device.user))
        if device.name is not None:
            await device.catch_up()
            self._scene.remembered[device.user, device.name] = dict(device.welcome["positions"])

    async def connect_by_name(self, device: Device, gateway: int) -> None:
        """A device that sends only its name continues after its acknowledged positions.

        It reads the states again, because no frame has sent them.
        """
        assert device.name is not None
        start = self._scene.remembered[device.user, device.name]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            await self._connect(device, gateway, None)
            actual = device.welcome["positions"]
            # The gateway stores acknowledgements later; until then the start may be lower.
            if time.monotonic() > deadline or all(actual[log] >= start.get(log, 0) for log in actual):
                break
            await device.disconnect()
        await self._replay(device, start, named=set(start))
        await self._load_states(device)

    async def resume(self, device: Device, gateway: int, *, with_states: bool, from_nothing: bool) -> None:
        """A client that resumes with positions, and optionally with its state version."""
        if from_nothing:
            device.positions, device.entries = {}, {}
        start = dict(device.positions)
        resume: dict[str, Any] = {"epoch": device.epoch, "positions": start}
        if with_states:
            resume["state_version"] = device.state_version
        await self._connect(device, gateway, resume)
        known: Mapping[str, int] = {}
        if device.name is not None:
            key = device.user, device.name
            known = self._scene.remembered.get(key) or self._lost.get(key) or {}
            self._scene.remembered[key] = dict(device.welcome["positions"])
        self._scene.model.resumed(device.user, known, start)
        await self._replay(device, start, named=set(start))
        if with_states:
            device.due = None
        else:
            await self._load_states(device)

    async def _replay(self, device: Device, start: Mapping[str, int], named: set[str]) -> None:
        user, model = device.user, self._scene.model
        # No frame reports recalls that happened while it was away, so remove those entries.
        device.remove({sent.id for sent in model.sent.values() if sent.recalled})
        self._check_welcome(device, {log: start.get(log, 0) for log in model.logs(user)})
        for item in model.items(user):
            if item.place.position > start.get(item.place.log, 0):
                device.expected.setdefault(item.place.log, []).append(item.place.position)
        for log in model.logs(user):
            if log in named and not model.is_member(user, log):
                self._scene.due(device, Event("left", "", log, model.end(user, log)))
        if device.welcome["resume"] != "complete":
            raise Disagreement(f"{device} was welcomed with {device.welcome}")
        await device.catch_up()
        assert device.caught_up is not None
        self._check_positions(device, device.caught_up, self._scene.ends(user))

    async def _load_states(self, device: Device) -> None:
        """Its entries are right except for the states, which no frame has sent."""
        _, items = await self._scene.everything(device.user)
        listed = {Place(item["log"], item["position"]) for item in items}
        if device.entries.keys() - listed or listed - device.entries.keys():
            raise Disagreement(f"{device} holds {sorted(device.entries)}, listed are {sorted(listed)}")
        device.load(items)

    def _check_positions(self, device: Device, frame: Frame, expected: Mapping[str, int]) -> None:
        actual = frame["positions"]
        differences = list(checks.at_positions(actual, expected, self._scene.model, device.user))
        if differences:
            raise Disagreement(f"{device} got {frame}: " + "; ".join(differences))

    def _check_welcome(self, device: Device, positions: Mapping[str, int]) -> None:
        self._check_positions(device, device.welcome, positions)
        counts = {name: device.welcome["counts"][name] for name in ("unseen", "unread")}
        if counts != self._scene.model.counts(device.user):
            raise Disagreement(
                f"{device} was welcomed with {counts} instead of {self._scene.model.counts(device.user)}"
            )

    async def acknowledge(self, device: Device, positions: Mapping[str, int]) -> None:
        """Acknowledge everything up to these positions."""
        await device.send("ack", positions=dict(positions))
        places = {
            Place(log, position)
            for log, known in device.received.items()
            for position in known
            if position <= positions.get(log, 0)
        }
        self._scene.model.delivered(device.user, places)
        if device.name is not None:
            remembered = self._scene.remembered[device.user, device.name]
            for log, position in positions.items():
                if log in self._scene.model.logs(device.user):
                    cut = min(position, self._scene.model.end(device.user, log))
                    remembered[log] = max(cut, remembered.get(log, 0))
