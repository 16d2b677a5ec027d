"""`tidings listen`."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from tidings import (
    AsyncTidings,
    Changed,
    Connected,
    Delivery,
    Disconnected,
    ErrorFrame,
    Gap,
    InboxEvent,
    LiveInbox,
    Recalled,
    TopicEvent,
)
from tidings._listen.events import loss_in_words
from tidings.cli.common import Common, Owner, WrongUsageError, in_words, note, print_json
from tidings.cli.signals import end_on_signals
from tidings.protocol import limits


async def listen(
    *,
    owner: Owner = Owner(),  # noqa: B008 - frozen
    device: Annotated[
        str | None,
        Parameter(help="This device's name: with it, the next run continues where this one stops."),
    ] = None,
    rewind: Annotated[
        int | None,
        Parameter(
            help="Start with the last N notifications, at most 200.",
            validator=Number(gte=0, lte=limits.REWIND),
        ),
    ] = None,
    topic: Annotated[
        list[str] | None,
        Parameter(negative="", help="Print this topic instead of the inbox; repeatable."),
    ] = None,
    count: Annotated[
        int | None, Parameter(help="Stop after this number of notifications.", validator=Number(gte=1))
    ] = None,
    mark_read: Annotated[bool, Parameter(help="Mark the printed items as read.", negative="")] = False,
    ids: Annotated[bool, Parameter(help="Print ids too, as `tidings mark` takes them.", negative="")] = False,
    realtime_url: Annotated[
        str | None, Parameter(help="The realtime URL, instead of the one that the API names.")
    ] = None,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Print a user's notifications, or those of topics, as they arrive, until Ctrl-C.

    Marks of other devices are printed too. With a key, the user may subscribe to the topics that are named.
    """
    if topic and (device is not None or mark_read):
        raise WrongUsageError("--topic excludes --device and --mark-read. Leave them out")
    key = owner.key(common)
    if owner.token is not None and realtime_url is None:
        raise WrongUsageError(
            "A token does not have the realtime URL. Give --realtime-url as well; `tidings token` prints it"
        )
    async with AsyncTidings(common.address, key=key, token=owner.token, retries=common.retries) as client:
        live = client.listen(
            user=owner.user,
            device=device,
            rewind=None if topic else rewind,
            realtime_url=realtime_url,
            topics=topic,
        )
        end_on_signals()
        # Only a signal cancels it. The inbox has acknowledged and closed by then.
        with suppress(asyncio.CancelledError):
            async with live as inbox:
                show = _show_json if common.json else _line_printer(ids=ids)
                if topic:
                    await _print_topics(inbox, topic, rewind, show, count)
                else:
                    await _print(inbox, show, count, mark_read=mark_read)
    return 0


async def _print(
    inbox: LiveInbox, show: Callable[[InboxEvent], None], count: int | None, *, mark_read: bool
) -> None:
    printed = 0
    async for event in inbox.events():
        show(event)
        if isinstance(event, Delivery):
            event.ack()
            if mark_read:
                await event.mark_read()
            printed += 1
            if printed == count:
                return


async def _print_topics(
    inbox: LiveInbox,
    topics: Sequence[str],
    rewind: int | None,
    show: Callable[[InboxEvent], None],
    count: int | None,
) -> None:
    arrived: asyncio.Queue[TopicEvent] = asyncio.Queue(1)

    async def follow(topic: str) -> None:
        async with inbox.subscribe(topic, rewind=rewind) as stream:
            async for event in stream.events():
                await arrived.put(event)

    async def note_events() -> None:
        async for event in inbox.events():
            # The inbox is not shown.
            if not isinstance(event, Delivery):
                show(event)

    async def print_arrived() -> None:
        printed = 0
        while count is None or printed < count:
            event = await arrived.get()
            show(event)
            if isinstance(event, Delivery):
                printed += 1
        for task in tasks:
            task.cancel()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(follow(topic)) for topic in dict.fromkeys(topics)]
        tasks.append(group.create_task(note_events()))
        group.create_task(print_arrived())


def _show_json(event: InboxEvent) -> None:
    match event:
        case Delivery():
            print_json(event.frame)
        case Gap() | Recalled() | Changed():
            print_json(event)
        case _:
            _print_note(event)


def _line_printer(*, ids: bool) -> Callable[[InboxEvent], None]:
    from tidings.cli.lines import Printer  # noqa: PLC0415 - loads rich, which scripts do not need

    printer = Printer(ids=ids)

    def show(event: InboxEvent) -> None:
        match event:
            case Delivery():
                printer.notification(event.log, event.notification, "replayed" if event.replayed else "")
            case Gap():
                note(loss_in_words(event))
            case Recalled():
                note(f"recalled: {event.id}")
            case Changed(mine=False):
                printer.change(event)
                note(
                    "some marks were missed: see `tidings inbox`" if event.reload else in_words(event.counts)
                )
            case _:
                _print_note(event)

    return show


def _print_note(event: InboxEvent) -> None:
    match event:
        case Connected():
            note(f"listening as {event.user}; Ctrl-C stops")
        case Disconnected():
            note(f"disconnected ({event.reason or event.code}); reconnecting in {event.retry_in:.1f} s")
        case ErrorFrame():
            note(f"error of the server: {event.detail} [{event.code}]")
        case _:
            pass
