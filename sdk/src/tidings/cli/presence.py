"""`tidings presence`."""

from typing import Annotated

from cyclopts import Parameter

from tidings.cli.common import Common, print_json


def presence(
    user: Annotated[str, Parameter(name="USER", help="The user's id.")],
    /,
    *,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Print whether a user is online, with the device and the time of each open connection."""
    with common.client() as client:
        found = client.users.presence(user)
    if common.json:
        print_json(found)
        return 0
    from tidings.cli.lines import local  # noqa: PLC0415 - loads rich, which scripts do not need

    if found.online:
        print(f"{user} is online")
    elif found.last_seen_at:
        print(f"{user} is offline, since {local(found.last_seen_at)}")
    else:
        print(f"{user} is offline, and was never online")
    for connection in found.connections:
        device = connection.device or "(no device)"
        print(f"  {device}  since {local(connection.connected_at)}  {connection.connection}")
    return 0
