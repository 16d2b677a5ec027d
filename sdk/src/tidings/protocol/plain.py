"""Structs as plain JSON values, for `to_dict()` and for the output of the commands."""

from datetime import UTC, datetime
from typing import Any

import msgspec


class Plain(msgspec.Struct, frozen=True):
    """A struct that an application can put into its own JSON answers."""

    def to_dict(self) -> dict[str, Any]:
        """A dict for `json.dumps`, in the shape of the API, without absent fields.

        Times are RFC 3339 in UTC with milliseconds.
        """
        plain: dict[str, Any] = to_plain(self)
        return plain


def to_plain(value: Any) -> Any:
    """The value as JSON has it: structs as dicts, times as text."""
    return _times(msgspec.to_builtins(value, builtin_types=(datetime,)))


def timestamp(time: datetime) -> str:
    """A time as RFC 3339 in UTC with milliseconds."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _times(value: Any) -> Any:
    match value:
        case datetime():
            return timestamp(value)
        case dict():
            return {name: _times(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_times(inner) for inner in value]
        case _:
            return value
