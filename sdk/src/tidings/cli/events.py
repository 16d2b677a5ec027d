"""`tidings events`."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

from cyclopts import Parameter

from tidings import AsyncTidings, Event
from tidings.cli.common import Common, WrongUsageError, note, print_json
from tidings.cli.signals import end_on_signals


async def events(
    *,
    types: Annotated[
        list[str] | None,
        Parameter(
            name="--type", negative="", help="Print this type of events alone, as `user.online`; repeatable."
        ),
    ] = None,
    consumer: Annotated[
        str | None,
        Parameter(help="Read as this consumer: the server keeps the position, and its readers share events."),
    ] = None,
    after: Annotated[
        str | None,
        Parameter(help="Begin behind this position, which an earlier run printed when it stopped, or `now`."),
    ] = None,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Print events as they happen, until Ctrl-C: a notification was read, a user is online.

    Without --after it begins with the first event that is kept. An event of a consumer is acknowledged
    after it was printed.
    """
    if consumer is not None and after is not None:
        raise WrongUsageError(
            "--consumer excludes --after: a consumer has its own position. Give one of them"
        )
    show = print_json if common.json else _line_printer()
    async with AsyncTidings(common.address, key=common.require_key(), retries=common.retries) as client:
        stream = client.events(types=types or (), consumer=consumer, after=after)
        end_on_signals()
        # Only a signal cancels it.
        with suppress(asyncio.CancelledError):
            async for event in stream:
                show(event)
        if stream.position is not None:
            note(f"continue with --after {stream.position}")
    return 0


def _line_printer() -> Callable[[Event], None]:
    from tidings.cli.lines import Printer  # noqa: PLC0415 - loads rich, which scripts do not need

    return Printer().event
