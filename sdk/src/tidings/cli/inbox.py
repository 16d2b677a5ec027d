"""`tidings inbox`."""

import sys
from collections.abc import Callable
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from tidings import InboxItem, Tidings
from tidings.cli.common import Common, note, print_json
from tidings.protocol import limits
from tidings.protocol.rest import StateFilter


def inbox(
    *,
    user: Annotated[str, Parameter(help="Whose inbox.")],
    state: Annotated[StateFilter | None, Parameter(help="Only what is in this state.")] = None,
    category: Annotated[str | None, Parameter(help="Only this category.")] = None,
    limit: Annotated[
        int, Parameter(help="At most so many; 0 for all.", validator=Number(gte=0))
    ] = limits.PAGE_DEFAULT,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Print a user's inbox, newest first."""
    with Tidings(common.url, key=common.require_key()) as client:
        size = min(limit, limits.PAGE_MAXIMUM) if limit else limits.PAGE_MAXIMUM
        show = print_json if common.json else _people()
        left = limit or sys.maxsize
        for page in client.inbox(user).list(state=state, category=category, limit=size).pages():
            for item in page.items[:left]:
                show(item)
            left -= len(page.items)
            if left <= 0 or page.next is None:
                if not common.json:
                    note(f"{page.counts.unseen} unseen, {page.counts.unread} unread")
                break
    return 0


def _people() -> Callable[[InboxItem], None]:
    from tidings.cli.lines import Printer  # noqa: PLC0415 - loads rich, which scripts do not need

    printer = Printer()
    return lambda item: printer.notification(item.log, item.notification, item.state)
