"""`tidings sent`."""

from datetime import datetime
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from tidings import SentNotification
from tidings.cli.common import Common, print_json
from tidings.protocol import limits


def sent(
    *,
    category: Annotated[str | None, Parameter(help="Only this category.")] = None,
    since: Annotated[datetime | None, Parameter(help="Only those sent at this time or later.")] = None,
    until: Annotated[datetime | None, Parameter(help="Only those sent before this time.")] = None,
    limit: Annotated[
        int, Parameter(help="The largest number to print; 0 for all.", validator=Number(gte=0))
    ] = limits.PAGE_DEFAULT,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Print sent notifications, newest first, with their ids."""
    with common.client() as client:
        size = None if limit else limits.PAGE_MAXIMUM
        found = client.sent(
            category=category,
            since=since and since.astimezone(),
            until=until and until.astimezone(),
            limit=limit or None,
            page_size=size,
        )
        for record in found:
            if common.json:
                print_json(record)
            else:
                _print(record)
    return 0


def _print(record: SentNotification) -> None:
    from tidings.cli.lines import as_json, clean, in_words, local  # noqa: PLC0415 - loads rich

    receipts = f"  {in_words(record.receipts)}" if record.receipts else ""
    title = clean(record.title or record.body or as_json(record.data))
    print(f"{local(record.accepted_at)}  {record.id}  {record.status}{receipts}  {title}")
