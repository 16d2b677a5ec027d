"""Errors for arguments that do not fit a type of the wire, in the words of the API."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tidings._errors import InvalidArgumentError
from tidings.protocol.errors import FieldError
from tidings.protocol.faults import faults_of
from tidings.protocol.pointers import field_error, steps_of

_TARGETS: Final[dict[tuple[str, ...], str]] = {
    ("to", "users"): "to_users",
    ("to", "groups"): "to_groups",
    ("to", "topics"): "to_topics",
    ("to", "all"): "to_all",
    ("to", "exclude"): "exclude",
}


def not_valid(
    what: str, value: Mapping[str, Any], type_: type[msgspec.Struct], error: msgspec.ValidationError
) -> InvalidArgumentError:
    """The error for a value that is not a valid `type_`: all faults, each with the keyword it is in."""
    try:
        faults = faults_of(msgspec.json.encode(value), type_, error, "#")
    except (TypeError, ValueError, RecursionError):  # a value has no form in JSON
        faults = (field_error(str(error)),)
    return InvalidArgumentError(f"The {what} is not valid: {'; '.join(map(_in_words, faults))}")


def _in_words(fault: FieldError) -> str:
    steps = steps_of(fault.pointer)
    keyword = _TARGETS.get(steps[:2])
    name, rest = (keyword, steps[2:]) if keyword else ("".join(steps[:1]), steps[1:])
    name += "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in rest)
    # The SDK sends no null: a keyword that is None is left out.
    detail = fault.detail.replace(" or null", "").rstrip(".")
    return f"{name}: {detail}" if name else detail
