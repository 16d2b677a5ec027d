"""`tidings snooze`."""

from datetime import datetime, timedelta
from typing import Annotated

from cyclopts import Parameter

from tidings.cli import values
from tidings.cli.common import Common, Owner, WrongUsageError, in_words, note, print_json


def snooze(
    ids: Annotated[list[str], Parameter(name="ID", help="Ids of the notifications.", negative="")],
    /,
    *,
    owner: Owner = Owner(),  # noqa: B008 - frozen
    length: Annotated[
        int | None,
        Parameter(name="--for", converter=values.duration, n_tokens=1, help="How long: 30m, 3h or 1d."),
    ] = None,
    until: Annotated[datetime | None, Parameter(help="The time of the return.")] = None,
    end: Annotated[bool, Parameter(help="End the snooze now.", negative="")] = False,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Hide items of a user's inbox until a time, on all devices. They return as unseen."""
    if (length is not None) + (until is not None) + end != 1:
        raise WrongUsageError("There must be one time. Give --for, --until or --end")
    with owner.client(common) as client:
        inbox = client.inbox(owner.user)
        if end:
            snoozed = inbox.unsnooze(ids)
        elif until is not None:
            snoozed = inbox.snooze(ids, until.astimezone())
        else:
            snoozed = inbox.snooze(ids, timedelta(seconds=length or 0))
    if common.json:
        print_json(snoozed)
        return 0
    print(f"{snoozed.changed} changed; {in_words(snoozed.counts)}")
    if snoozed.unknown:
        note(f"not in this inbox: {', '.join(snoozed.unknown)}")
    return 0
