"""Times in queries: since when, and until when."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, NamedTuple

import msgspec
from litestar.params import QueryParameter
from msgspec import Meta

from tidings_api.problems import ProblemError

_TIME: Final = {"format": "date-time"}
EPOCH: Final = datetime.fromtimestamp(0, UTC)
MILLISECOND: Final = timedelta(milliseconds=1)

After = Annotated[
    str | None,
    QueryParameter(
        schema_extra=_TIME, description="Only notifications created after this time: RFC 3339 with a zone."
    ),
]
Before = Annotated[
    str | None,
    QueryParameter(
        schema_extra=_TIME, description="Only notifications created before this time: RFC 3339 with a zone."
    ),
]
Since = Annotated[
    str | None,
    QueryParameter(
        schema_extra=_TIME,
        description="Only notifications created at this time or later: RFC 3339 with a zone.",
    ),
]
Until = Annotated[
    str | None,
    QueryParameter(
        schema_extra=_TIME,
        description="Only notifications created before this time, as `before`; it goes with `since`.",
    ),
]


class Period(NamedTuple):
    """Notifications that were accepted from `since` until before `until`, in Unix ms; None is no bound."""

    since: int | None
    until: int | None


def period(
    *, after: str | None = None, before: str | None = None, since: str | None = None, until: str | None = None
) -> Period:
    """The period that all of these parameters leave. Raises 422 for one that is not a time."""
    # The store has whole milliseconds.
    starts = [
        None if after is None else _floor("after", after) + 1,
        None if since is None else _ceiling("since", since),
    ]
    ends = [
        None if before is None else _ceiling("before", before),
        None if until is None else _ceiling("until", until),
    ]
    return Period(
        max((each for each in starts if each is not None), default=None),
        min((each for each in ends if each is not None), default=None),
    )


def _floor(name: str, text: str) -> int:
    return (_time(name, text) - EPOCH) // MILLISECOND


def _ceiling(name: str, text: str) -> int:
    return -((EPOCH - _time(name, text)) // MILLISECOND)


def _time(name: str, text: str) -> datetime:
    try:
        moment: datetime = msgspec.convert(text, Annotated[datetime, Meta(tz=True)])
    except msgspec.ValidationError:
        raise ProblemError(
            "invalid_request",
            f"query parameter {name}: This must be a time with its zone by RFC 3339, "
            "like 2026-11-22T07:00:00Z (the + of a zone is %2B in a URL).",
        ) from None
    return moment
