"""Options whose values have a syntax: durations, JSON, actions and positions."""

import re
from typing import Any, Final

import msgspec

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"(?:\d+[smhdw])+|\d+")


def duration(_: Any, tokens: Any) -> int:
    """The seconds of a duration such as `90`, `30s`, `90m`, `1d` or `1h30m`."""
    text = tokens[0].value.strip().lower()
    if not _DURATION.fullmatch(text) or not text.isascii():
        raise ValueError(f"it takes seconds, or a time such as 30s, 90m, 12h, 1d or 2w, not {text!r}")
    if text.isdecimal():
        return int(text)
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhdw])", text))


def json_object(_: Any, tokens: Any) -> dict[str, Any]:
    """A JSON object, such as `{"order": 4711}`."""
    try:
        return msgspec.json.decode(tokens[0].value, type=dict[str, Any])
    except msgspec.DecodeError:
        raise ValueError("it takes a JSON object, such as '{\"order\": 4711}'") from None


def action(text: str) -> dict[str, str]:
    """The button of `ID=LABEL` or `ID=LABEL=LINK`."""
    name, _, rest = text.partition("=")
    label, _, link = rest.partition("=")
    if not name or not label:
        raise ValueError(
            "it takes ID=LABEL, or ID=LABEL=LINK, such as track=Track=https://shop.example/t/4711"
        )
    return {"id": name, "label": label, **({"link": link} if link else {})}


def check_actions(_: object, texts: list[str] | None) -> None:
    """Raise ValueError for the first text that is no action."""
    for text in texts or []:
        action(text)


def positions(texts: list[str]) -> dict[str, int]:
    """The position per log, from texts such as `user=12`."""
    try:
        return {log: int(position) for log, position in (text.rsplit("=", 1) for text in texts)}
    except ValueError:
        raise ValueError("it takes a log and a position, such as user=12 or group:team-7=90") from None


def check_positions(_: object, texts: list[str] | None) -> None:
    """Raise ValueError if a text is no position."""
    positions(texts or [])
