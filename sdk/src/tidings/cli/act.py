"""`tidings act`."""

from typing import Annotated

from cyclopts import Parameter

from tidings.cli.common import Common, Owner, print_json


def act(
    notification: Annotated[str, Parameter(name="ID", help="The id of the notification.")],
    action: Annotated[str, Parameter(name="ACTION", help="The id of one of its actions.")],
    /,
    *,
    owner: Owner = Owner(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Use an action of a notification, for all devices of the user. The first action counts."""
    with owner.client(common) as client:
        acted = client.inbox(owner.user).act(notification, action)
    if common.json:
        print_json(acted)
    else:
        print(f"{acted.action.id} at {acted.action.at:%Y-%m-%d %H:%M:%S} UTC")
    return 0
