"""`tidings recall`."""

from typing import Annotated

from cyclopts import Parameter

from tidings.cli.common import Common, print_json


def recall(
    notifications: Annotated[
        list[str], Parameter(name="ID", help="Ids of the notifications to recall.", negative="")
    ],
    /,
    *,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Recall notifications: remove them from every inbox, count, replay and open client."""
    with common.client() as client:
        for notification in notifications:
            client.recall(notification)
            if common.json:
                print_json({"id": notification, "status": "recalled"})
            else:
                print(f"recalled {notification}")
    return 0
