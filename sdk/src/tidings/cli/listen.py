"""`tidings listen`."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

from cyclopts import Parameter

from tidings import (
    AsyncTidings,
    Connected,
    Delivery,
    Disconnected,
    ErrorFrame,
    Gap,
    InboxEvent,
    LiveInbox,
    Recalled,
)
from tidings.cli.common import Common, note, print_json


async def listen(
    *,
    user: Annotated[str | None, Parameter(help="Who listens.", show_default=False)] = None,
    device: Annotated[
        str | None, Parameter(help="This device's name: the next time it goes on where it left off.")
    ] = None,
    rewind: Annotated[int | None, Parameter(help="Start with the last so many, at most 200.")] = None,
    count: Annotated[int | None, Parameter(help="Leave after so many notifications.")] = None,
    token: Annotated[str | None, Parameter(help="A user's own token, instead of a key.")] = None,
    realtime_url: Annotated[
        str | None, Parameter(help="Where to connect, instead of where the API says.")
    ] = None,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Print a user's notifications as they come, one line each, until Ctrl-C."""
    if token:
        client = AsyncTidings(common.url, token=token)
    else:
        client = AsyncTidings(common.url, key=common.require_key())
    async with client:
        live = client.listen(
            user=None if token else user, device=device, rewind=rewind, realtime_url=realtime_url
        )
        _end_on_signals()
        # Cancelled by a signal only: the inbox has acknowledged and left by then.
        with suppress(asyncio.CancelledError):
            async with live as inbox:
                await _print(inbox, count, as_json=common.json)
    return 0


def _end_on_signals() -> None:
    task = asyncio.current_task()
    if task is None:
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no handlers in the loop; Ctrl-C is a KeyboardInterrupt there.
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


async def _print(inbox: LiveInbox, count: int | None, *, as_json: bool) -> None:
    show = _show_json if as_json else _people()
    printed = 0
    async for event in inbox.events():
        show(event)
        if isinstance(event, Delivery):
            event.ack()
            printed += 1
            if printed == count:
                return


def _show_json(event: InboxEvent) -> None:
    match event:
        case Delivery():
            print_json(event.frame)
        case Gap() | Recalled():
            print_json(event)
        case _:
            _say(event)


def _people() -> Callable[[InboxEvent], None]:
    from tidings.cli.lines import Printer  # noqa: PLC0415 - loads rich, which scripts do not need

    printer = Printer()

    def show(event: InboxEvent) -> None:
        match event:
            case Delivery():
                printer.notification(event.log, event.notification, "replayed" if event.replayed else "")
            case Gap():
                note(f"missed in {event.log}: positions {event.from_} to {event.to} ({event.reason})")
            case Recalled():
                note(f"recalled: {event.id}")
            case _:
                _say(event)

    return show


def _say(event: InboxEvent) -> None:
    match event:
        case Connected():
            note(f"listening as {event.user}; Ctrl-C ends")
        case Disconnected():
            note(f"disconnected ({event.reason or event.code}); again in {event.retry_in:.1f} s")
        case ErrorFrame():
            note(f"the server says: {event.detail} [{event.code}]")
        case _:
            pass
