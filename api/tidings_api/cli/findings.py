"""What `doctor` found, one thing at a time."""

from typing import Literal

from msgspec import Struct


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was looked at. `cure` says what to do, where it is not ok."""

    check: str
    level: Literal["ok", "warning", "wrong"]
    detail: str
    cure: str = ""


def ok(check: str, detail: str) -> Finding:
    """Nothing to do."""
    return Finding(check=check, level="ok", detail=detail)


def warning(check: str, detail: str, cure: str) -> Finding:
    """It works, but not as well or as long as it should, or it could not be looked at."""
    return Finding(check=check, level="warning", detail=detail, cure=cure)


def wrong(check: str, detail: str, cure: str) -> Finding:
    """It does not work, or a promise does not hold."""
    return Finding(check=check, level="wrong", detail=detail, cure=cure)
