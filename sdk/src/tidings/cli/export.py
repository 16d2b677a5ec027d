"""`tidings export`."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter

from tidings import SentNotification
from tidings.cli.common import Common, note, plural

_EVERY_SECONDS: Final = 0.2


def export(
    *,
    since: Annotated[
        datetime | None, Parameter(help="Only those sent at this time or later.", show_default=False)
    ] = None,
    until: Annotated[
        datetime | None, Parameter(help="Only those sent before this time.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, Parameter(help="The file to write, instead of standard output.", show_default=False)
    ] = None,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Write all sent notifications, oldest first, as one JSON object per line."""
    with ExitStack() as opened:
        client = opened.enter_context(common.client())
        target = sys.stdout.buffer if output is None else opened.enter_context(output.open("wb"))
        found: Iterable[SentNotification] = client.export(
            since=since and since.astimezone(), until=until and until.astimezone()
        )
        # Progress between the lines of an export would be unreadable.
        if sys.stderr.isatty() and (output is not None or not sys.stdout.isatty()):
            found = _counted(found)
        for each in found:
            target.write(msgspec.json.encode(each.to_dict()) + b"\n")
        target.flush()
    return 0


def _counted(found: Iterable[SentNotification]) -> Iterator[SentNotification]:
    """The same notifications, while a line on stderr counts them."""
    count, shown = 0, time.monotonic()
    try:
        for each in found:
            yield each
            count += 1
            if time.monotonic() - shown >= _EVERY_SECONDS:
                shown = time.monotonic()
                sys.stderr.write(f"\r{plural(count, 'notification')}")
                sys.stderr.flush()
    finally:
        sys.stderr.write("\r")
        note(plural(count, "notification"))
