"""Writes `sdk/browser/src/protocol.ts` from `tidings.protocol`, or compares it with the code.

The browser's client gets its frames, limits and close codes from there, so that both always agree.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
from msgspec import Struct, inspect

from tidings.protocol import closing, errors, frames, limits, names, notifications, rest

TARGET: Final = Path(__file__).parent.parent / "sdk" / "browser" / "src" / "protocol.ts"

_SHARED: Final[Sequence[type[Struct]]] = (
    notifications.ReceivedAction,
    notifications.UsedAction,
    notifications.Notification,
    notifications.Action,
    notifications.Publication,
    frames.CategoryCounts,
    frames.Counts,
    frames.StateChange,
    frames.Acted,
    frames.Snoozed,
    frames.Expired,
    frames.Resume,
)
# The client of the browser reads an inbox and sends no notification.
_SENDING: Final = {frames.SendFrame, frames.Accepted}
_CLIENT_FRAMES: Final = tuple(frame for frame in frames.CLIENT_FRAMES if frame not in _SENDING)
_SERVER_FRAMES: Final = tuple(frame for frame in frames.SERVER_FRAMES if frame not in _SENDING)
_REST: Final[Sequence[type[Struct]]] = (
    rest.InboxItem,
    rest.InboxPage,
    rest.MarkInbox,
    rest.SnoozeInbox,
    rest.Marked,
    rest.UserToken,
    errors.FieldError,
    errors.Problem,
)
_INTERFACES: Final[Sequence[type[Struct]]] = (
    *_SHARED, *_CLIENT_FRAMES, *_SERVER_FRAMES, *_REST,
)  # fmt: skip
# Literals that have a name of their own.
_ALIASES: Final = {
    "State": frames.State,
    "InboxState": rest.InboxState,
    "StateFilter": rest.StateFilter,
}
_NAMED: Final = {frozenset(get_args(literal)): name for name, literal in _ALIASES.items()}


def render() -> str:
    """The text of the module."""
    parts = [
        "// Generated from tidings.protocol by tools/browser_protocol.py. Do not edit.",
        *(f"export type {name} = {_literal(get_args(alias))};" for name, alias in _ALIASES.items()),
        "export type Positions = Readonly<Record<string, number>>;",
        *map(_interface, _INTERFACES),
        _union("ClientFrame", _CLIENT_FRAMES),
        _union("ServerFrame", _SERVER_FRAMES),
        _constant("SUBPROTOCOL", frames.SUBPROTOCOL),
        _constant("DEVICE_PATTERN", names.DEVICE_PATTERN),
        _constant("LINK_PATTERN", names.LINK_PATTERN),
        *(_constant(name, value) for name, value in vars(limits).items() if isinstance(value, int)),
        *_closing(),
        _doc("Codes of errors after which the same request may succeed later, unchanged.")
        + _constant("RETRYABLE", sorted(_retryable())),
    ]
    return "\n\n".join(parts) + "\n"


def _retryable() -> Iterable[str]:
    """The codes that a request of an inbox may get: some are answers to sends alone."""
    sends = {"idempotency_in_progress", "quota_exceeded"}
    return (code for code, entry in errors.ERRORS.items() if entry.retryable and code not in sends)


def _closing() -> Iterable[str]:
    verdicts = _literal([verdict.name.lower() for verdict in closing.Verdict])
    yield _doc("The reaction of a client to a close.") + f"export type Verdict = {verdicts};"
    for name, entry in vars(closing).items():
        if isinstance(entry, closing.CloseCode) and entry.reason:
            yield _doc(entry.reason) + _constant(name, entry.code)
    by_range = {40: closing.Verdict.STAY_AWAY, 42: closing.Verdict.NOW}
    table = {
        str(code): entry.verdict.name.lower()
        for code, entry in closing.CLOSE_CODES.items()
        if entry.verdict is not by_range.get(code // 100, closing.Verdict.LATER)
    }
    yield (
        _doc(
            "Verdicts of the codes whose range does not give it: 40xx stay away, 42xx now, all others later."
        )
        + f"export const VERDICTS: Readonly<Record<number, Verdict>> = {json.dumps(table)};"
    )


def _interface(struct: type[Struct]) -> str:
    config = struct.__struct_config__
    lines = [f"  readonly type: {json.dumps(config.tag)};"] if config.tag is not None else []
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)  # noqa: S101 - it is a Struct
    for field in info.fields:
        # msgspec describes the default UNSET as no default of a field that is not required.
        is_unset = field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT
        absent = not field.required and (config.omit_defaults or is_unset)
        text = _type(field.type, without_null=absent and field.default is None)
        if isinstance(field.type, inspect.RawType):
            # Sent as it was stored.
            text = notifications.Notification.__name__
        lines.append(f"  readonly {field.encode_name}{'?' if absent else ''}: {text};")
    return _doc(cleandoc(struct.__doc__ or "")) + "\n".join(
        (
            f"export interface {struct.__name__} {{",
            *lines,
            "}",
        )
    )


def _type(info: inspect.Type, *, without_null: bool = False) -> str:  # noqa: C901, PLR0911 - one case per kind
    match info:
        case inspect.Metadata():
            return _type(info.type, without_null=without_null)
        case inspect.UnionType():
            kinds = [kind for kind in info.types if not (without_null and isinstance(kind, inspect.NoneType))]
            return " | ".join(dict.fromkeys(map(_type, kinds)))
        case inspect.LiteralType():
            return _NAMED.get(frozenset(info.values)) or _literal(info.values)
        case inspect.StructType():
            return info.cls.__name__
        case inspect.DictType():
            value = _type(info.value_type)
            return "Positions" if value == "number" else f"Readonly<Record<string, {value}>>"
        case inspect.ListType() | inspect.VarTupleType():
            return f"readonly {_type(info.item_type)}[]"
        case inspect.StrType() | inspect.DateTimeType():
            return "string"
        case inspect.IntType() | inspect.FloatType():
            return "number"
        case inspect.BoolType():
            return "boolean"
        case inspect.NoneType():
            return "null"
        case inspect.AnyType() | inspect.RawType():
            return "unknown"
        case _:
            raise NotImplementedError(f"no TypeScript for {info}")


def _literal(values: Iterable[Any]) -> str:
    return " | ".join(map(json.dumps, values))


def _union(name: str, structs: Sequence[type[Struct]]) -> str:
    return f"export type {name} = {' | '.join(struct.__name__ for struct in structs)};"


def _constant(name: str, value: object) -> str:
    return f"export const {name} = {msgspec.json.encode(value).decode()};"


def _doc(text: str) -> str:
    # Python's names of fields that are keywords there.
    text = text.replace("``", "`").replace("_`", "`")
    if "\n" not in text:
        return f"/** {text} */\n"
    return "/**\n" + "".join(f" * {line}".rstrip() + "\n" for line in text.splitlines()) + " */\n"


def main() -> int:
    """Write the file. With --check compare it; the exit code is 1 when it is stale."""
    parser = argparse.ArgumentParser(prog="python tools/browser_protocol.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    options = parser.parse_args()
    if not options.check:
        TARGET.write_text(render())
        return 0
    if TARGET.is_file() and TARGET.read_text() == render():
        return 0
    sys.stderr.write(f"{TARGET} differs from the code: run python tools/browser_protocol.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
