"""`tidings disconnect` and `tidings erase`."""

import sys
from typing import Annotated

from cyclopts import Parameter

from tidings.cli.common import Common, WrongUsageError, plural, print_json


def disconnect(
    user: Annotated[
        str | None, Parameter(name="USER", show_default=False, help="Close all connections of this user.")
    ] = None,
    /,
    *,
    connection: Annotated[
        str | None, Parameter(help="Close only this connection, by the id that `tidings presence` prints.")
    ] = None,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Close connections with code 4005: the clients do not reconnect."""
    if (user is None) == (connection is None):
        raise WrongUsageError("There must be one thing to close. Give a user, or --connection")
    with common.client() as client:
        client.users.disconnect(user, connection=connection)
    if common.json:
        print_json({"user": user, "status": "disconnected"} if user else {"connection": connection})
    else:
        print(f"disconnected {user or connection}")
    return 0


def erase(
    user: Annotated[str, Parameter(name="USER", help="The user's id.")],
    /,
    *,
    yes: Annotated[bool, Parameter(negative="", show_default=False, help="Do not ask first.")] = False,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Erase all data of a user. This cannot be undone."""
    if not yes and not _is_confirmed(user):
        raise WrongUsageError(f"Nothing was erased. Give --yes to erase all data of {user}")
    with common.client() as client:
        erased = client.users.erase(user)
    if common.json:
        print_json(erased)
    else:
        counts = (
            plural(erased.notifications, "notification"),
            plural(erased.marks, "mark"),
            plural(erased.memberships, "membership"),
            plural(erased.devices, "device"),
            plural(erased.connections, "connection"),
        )
        print(f"erased {user}: {', '.join(counts)}")
    return 0


def _is_confirmed(user: str) -> bool:
    if not sys.stdin or not sys.stdin.isatty():
        return False
    sys.stderr.write(f"Erase all data of {user}? This cannot be undone. [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
