"""Sizes and times of the archive, as an operator reads them."""

from typing import Final

from tidings.protocol.times import timestamp

_UNITS: Final = ("bytes", "KB", "MB", "GB", "TB")
_STEP: Final = 1_000
_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400


def size(count: int) -> str:
    """A number of bytes with its unit, such as `1.5 GB`."""
    value, unit = float(count), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{count} bytes" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def duration(seconds: int) -> str:
    """A number of seconds in the largest unit that fits, such as `3 h`."""
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def day(at: int) -> str:
    """The date and the minute of a time in Unix milliseconds."""
    return timestamp(at)[:16].replace("T", " ") + " UTC"
