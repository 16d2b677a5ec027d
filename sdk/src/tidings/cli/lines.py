"""Notifications, marks and receipts as lines of text for people."""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.text import Text

from tidings import Event
from tidings.cli.common import plural
from tidings.protocol.frames import Stated
from tidings.protocol.notifications import Notification, Receipts

_PRIORITY = {"low": "dim", "normal": "bold", "high": "bold yellow", "urgent": "bold red"}
REMEMBERED: Final = 1_000


def as_json(data: Mapping[str, Any] | None) -> str:
    """The data of a notification as JSON, as it was sent."""
    return msgspec.json.encode(data).decode()


class Printer:
    """Prints one line per notification or change, with colours only on a terminal.

    With `ids`, each line of a notification ends in its id.
    """

    def __init__(self, *, ids: bool = False) -> None:
        plain = bool(os.environ.get("NO_COLOR"))
        self._console = Console(
            highlight=False, markup=False, emoji=False, soft_wrap=True, color_system=None if plain else "auto"
        )
        self._ids = ids
        self._titles: dict[str, str] = {}

    def notification(self, log: str, notification: Notification, extra: str = "") -> None:
        """Print local time, log, category, title, body and link, without absent fields."""
        self._remember(notification)
        line = _line_from(notification.created_at)
        line.append(f"  {clean(log)}", style="cyan")
        if notification.category:
            line.append(f"  {clean(notification.category)}", style="magenta")
        if extra:
            line.append(f"  {extra}", style="dim")
        if notification.title:
            line.append(f"  {clean(notification.title)}", style=_PRIORITY.get(notification.priority, "bold"))
        if notification.body:
            line.append(f"  {clean(notification.body)}")
        if not notification.title and not notification.body:
            line.append(f"  {clean(as_json(notification.data))}")
        if notification.link:
            line.append(f"  {clean(notification.link)}", style="blue")
        if self._ids:
            line.append(f"  {clean(notification.id)}", style="dim")
        self._print(line)

    def event(self, event: Event) -> None:
        """Print local time, type, and the data: texts as they are, other values as JSON."""
        line = _line_from(event.timestamp)
        line.append(f"  {clean(event.type)}", style="cyan")
        for name, value in event.data.items():
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            line.append(f"  {clean(name)}=", style="dim")
            line.append(clean(text))
        self._print(line)

    def change(self, change: Stated) -> None:
        """Print local time, new state and title of the items that another device marked."""
        for one in change.changes or ():
            self._change(one.at, one.state, self._titles.get(one.id, one.id))
        if change.all and change.at:
            which = f"everything in {change.category}" if change.category else "everything"
            self._change(change.at, change.state or "", which)
        elif change.up_to and change.at:
            self._change(change.at, change.state or "", f"everything up to {_in_words(change.up_to)}")

    def _change(self, at: datetime, state: str, what: str) -> None:
        line = _line_from(at)
        line.append(f"  {clean(state)} on another device", style="green")
        line.append(f"  {clean(what)}")
        self._print(line)

    def _remember(self, notification: Notification) -> None:
        self._titles[notification.id] = notification.title or notification.body or notification.id
        if len(self._titles) > REMEMBERED:
            del self._titles[next(iter(self._titles))]

    def _print(self, line: Text) -> None:
        self._console.print(line)
        self._console.file.flush()


def local(time: datetime) -> str:
    """A time in the local time zone, to the second."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def clean(text: str) -> str:
    """The text on one line, without control characters: a terminal would obey them."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def in_words(receipts: Receipts) -> str:
    """Receipts as text."""
    recipients = "everybody" if receipts.recipients is None else plural(receipts.recipients, "recipient")
    return f"{recipients}, {receipts.delivered} delivered, {receipts.seen} seen, {receipts.read} read"


def _line_from(time: datetime) -> Text:
    line = Text()
    line.append(local(time), style="dim")
    return line


def _in_words(positions: Mapping[str, int]) -> str:
    return ", ".join(f"{log} {position}" for log, position in positions.items())
