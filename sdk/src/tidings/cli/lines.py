"""Notifications as lines for people."""

from datetime import datetime

from rich.console import Console
from rich.text import Text

from tidings.protocol.notifications import Notification

_PRIORITY = {"low": "dim", "normal": "bold", "high": "bold yellow", "urgent": "bold red"}


class Printer:
    """Prints one line per notification, with colours on a terminal only."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

    def notification(self, log: str, notification: Notification, extra: str = "") -> None:
        """Local time, log, category, title, body, link; what is absent is left out."""
        line = Text()
        line.append(_local(notification.created_at), style="dim")
        line.append(f"  {_clean(log)}", style="cyan")
        if notification.category:
            line.append(f"  {_clean(notification.category)}", style="magenta")
        if extra:
            line.append(f"  {extra}", style="dim")
        if notification.title:
            line.append(f"  {_clean(notification.title)}", style=_PRIORITY.get(notification.priority, "bold"))
        if notification.body:
            line.append(f"  {_clean(notification.body)}")
        if not notification.title and not notification.body:
            line.append(f"  {_clean(str(notification.data))}")
        if notification.link:
            line.append(f"  {_clean(notification.link)}", style="blue")
        self._console.print(line)
        self._console.file.flush()


def _local(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _clean(text: str) -> str:
    """On one line, and without the control characters that would command the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
