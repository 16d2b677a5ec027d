"""`tidings get`."""

from typing import Annotated

from cyclopts import Parameter

from tidings.cli.common import Common, print_json


def get(
    notification: Annotated[str, Parameter(name="ID", help="The notification's id.")],
    /,
    *,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Print a notification that was sent, with its receipts."""
    with common.client() as client:
        record = client.get(notification)
    if common.json:
        print_json(record)
        return 0
    from tidings.cli.lines import as_json, clean, in_words, local  # noqa: PLC0415 - loads rich

    to = record.to
    whom = [*(f"user {name}" for name in to.users), *(f"group {name}" for name in to.groups)]
    whom += ["all"] if to.all else []
    whom += [f"without {name}" for name in to.exclude]
    rows = {
        "id": record.id,
        "status": f"{record.status}, accepted {local(record.accepted_at)}",
        "to": ", ".join(whom),
        "receipts": in_words(record.receipts) if record.receipts else None,
        "category": record.category,
        "title": record.title,
        "body": record.body,
        "data": None if record.data is None else as_json(record.data),
        "link": record.link,
        "icon": record.icon,
        "group key": record.group_key,
        "actions": ", ".join(action.label for action in record.actions) or None,
        "priority": record.priority,
        "expires": None if record.expires_at is None else local(record.expires_at),
    }
    for name, value in rows.items():
        if value is not None:
            print(f"{name + ':':<10} {clean(value)}")
    return 0
