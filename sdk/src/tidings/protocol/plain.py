"""Structs as plain JSON values: what `to_dict()` gives and the commands print."""

from datetime import UTC, datetime
from typing import Any

import msgspec


class Plain(msgspec.Struct, frozen=True):
    """A struct that an application may put into an answer of its own."""

    def to_dict(self) -> dict[str, Any]:
        """The same as a dict for `json.dumps`, in the shape of the API: absent fields are left out.

        Times are RFC 3339 in UTC with milliseconds.
        """
        plain: dict[str, Any] = to_plain(self)
        return plain


def to_plain(value: Any) -> Any:
    """Structs as dicts, times as text; everything else as it is in JSON."""
    return _times(msgspec.to_builtins(value, builtin_types=(datetime,)))


def timestamp(time: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
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
