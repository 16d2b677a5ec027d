"""`tidings-server config`: the reference of all settings, with their current values."""

import os
from typing import Any

import msgspec
from msgspec import structs

from tidings_api.cli.output import JsonOption, answer
from tidings_workers.addresses import masked
from tidings_workers.config import Settings, variable_of


def config(*, json: JsonOption = False) -> None:
    """List every setting: its variable, its current value, its default and its meaning.

    Every part reads its settings once, at its start, from the environment. Passwords in URLs are hidden.
    """
    now = Settings.from_environment()
    entries = [_entry(field, getattr(now, field.name)) for field in structs.fields(Settings)]
    answer({"settings": entries}, "\n\n".join(map(_text, entries)), as_json=json)


def _entry(field: structs.FieldInfo, value: Any) -> dict[str, Any]:
    variable = variable_of(field.name)
    description = next(
        meta.description for meta in field.type.__metadata__ if getattr(meta, "description", None)
    )
    return {
        "variable": variable,
        "value": _shown(value),
        "default": _shown(field.default),
        "set": bool(os.environ.get(variable)),
        "meaning": description,
    }


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    return value if value is None else msgspec.to_builtins(value, enc_hook=str)


def _text(entry: dict[str, Any]) -> str:
    def word(value: Any) -> str:
        return "not set" if value is None else str(value)

    default = f"   (default: {word(entry['default'])})" if entry["set"] else ""
    return f"{entry['variable']}={word(entry['value'])}{default}\n    {entry['meaning']}"
