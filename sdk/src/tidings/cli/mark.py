"""`tidings mark`."""

from typing import Annotated

from cyclopts import Parameter

from tidings.cli import values
from tidings.cli.common import Common, Owner, WrongUsageError, in_words, note, print_json
from tidings.protocol.frames import State


def mark(
    state: Annotated[State, Parameter(help="The new state.")],
    ids: Annotated[
        list[str] | None, Parameter(name="ID", help="Ids of the notifications to mark.", negative="")
    ] = None,
    /,
    *,
    owner: Owner = Owner(),  # noqa: B008 - frozen
    everything: Annotated[bool, Parameter(name="--all", help="Mark everything.", negative="")] = False,
    category: Annotated[str | None, Parameter(help="With --all, only this category.")] = None,
    up_to: Annotated[
        list[str] | None,
        Parameter(
            help="Mark everything up to LOG=POSITION; repeatable.",
            negative="",
            validator=values.check_positions,
        ),
    ] = None,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Mark items of a user's inbox, for all devices of the user."""
    if bool(ids) + bool(up_to) + everything != 1:
        raise WrongUsageError("There must be one selection to mark. Give some ids, --up-to or --all")
    with owner.client(common) as client:
        marked = client.inbox(owner.user).mark(
            state, ids, up_to=values.positions(up_to) if up_to else None, all=everything, category=category
        )
    if common.json:
        print_json(marked)
        return 0
    print(f"{marked.changed} changed; {in_words(marked.counts)}")
    if marked.unknown:
        note(f"not in this inbox: {', '.join(marked.unknown)}")
    return 0
