"""`tidings inbox`."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from tidings import Counts, Inbox, InboxItem
from tidings.cli.common import Common, Owner, WrongUsageError, in_words, note, print_json
from tidings.protocol import limits
from tidings.protocol.rest import StateFilter


def inbox(
    *,
    owner: Owner = Owner(),  # noqa: B008 - frozen
    state: Annotated[StateFilter | None, Parameter(help="Only items in this state.")] = None,
    unread: Annotated[bool, Parameter(help="As --state unread.", negative="")] = False,
    category: Annotated[
        str | None, Parameter(help="Only this category; with a dot at the end, all that begin with it.")
    ] = None,
    log: Annotated[str | None, Parameter(help="Only this log: user, all or group:ID.")] = None,
    after: Annotated[datetime | None, Parameter(help="Only items sent after this time.")] = None,
    before: Annotated[datetime | None, Parameter(help="Only items sent before this time.")] = None,
    limit: Annotated[
        int, Parameter(help="The largest number to print; 0 for all.", validator=Number(gte=0))
    ] = limits.PAGE_DEFAULT,
    counts: Annotated[
        bool, Parameter(help="Print only the numbers of unseen and unread items, by category.", negative="")
    ] = False,
    mark_read: Annotated[bool, Parameter(help="Mark the printed items as read.", negative="")] = False,
    ids: Annotated[bool, Parameter(help="Print ids too, as `tidings mark` takes them.", negative="")] = False,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Print a user's inbox, newest first."""
    if unread and state:
        raise WrongUsageError("--unread and --state exclude each other. Give one of them")
    with owner.client(common) as client:
        of_owner = client.inbox(owner.user)
        if counts:
            _print_counts(of_owner.counts(by_category=True), as_json=common.json)
            return 0
        pages = of_owner.list(
            state="unread" if unread else state,
            category=category,
            log=log,
            after=after and after.astimezone(),
            before=before and before.astimezone(),
            limit=limit or None,
            page_size=None if limit else limits.PAGE_MAXIMUM,
        ).pages()
        show = print_json if common.json else _line_printer(ids=ids)
        now: Counts | None = None
        for page in pages:
            for item in page.items:
                show(item)
            now = _marked_read(of_owner, page.items, page.counts) if mark_read else page.counts
        if now is not None and not common.json:
            note(in_words(now))
    return 0


def _marked_read(inbox: Inbox, items: tuple[InboxItem, ...], before: Counts) -> Counts:
    return inbox.mark_read(items).counts if items else before


def _print_counts(counts: Counts, *, as_json: bool) -> None:
    if as_json:
        print_json(counts)
        return
    print(in_words(counts))
    for category, part in sorted((counts.categories or {}).items()):
        print(f"  {category or '(no category)'}: {part.unseen} unseen, {part.unread} unread")


def _line_printer(*, ids: bool) -> Callable[[InboxItem], None]:
    from tidings.cli.lines import Printer  # noqa: PLC0415 - loads rich, which scripts do not need

    printer = Printer(ids=ids)
    return lambda item: printer.notification(item.log, item.notification, item.state)
