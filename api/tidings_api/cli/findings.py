"""The findings of `doctor`, one per check."""

from typing import Literal

from msgspec import Struct


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of one check. `cure` says what to do; it is empty when the level is ok."""

    check: str
    level: Literal["ok", "warning", "wrong"]
    detail: str
    cure: str = ""


def ok(check: str, detail: str) -> Finding:
    """A finding that needs no action."""
    return Finding(check=check, level="ok", detail=detail)


def warning(check: str, detail: str, cure: str) -> Finding:
    """A finding that may lead to a failure, or a check that was not possible."""
    return Finding(check=check, level="warning", detail=detail, cure=cure)


def wrong(check: str, detail: str, cure: str) -> Finding:
    """A finding that breaks the service or one of its promises."""
    return Finding(check=check, level="wrong", detail=detail, cure=cure)
