"""The headers of a client's frames."""

import re
from typing import Final, get_args

from tidings_workers.gateway.stomp.frames import Frame, StompError
from tidings_workers.gateway.stomp.wire import AckMode

_MODES: Final[tuple[AckMode, ...]] = get_args(AckMode)
# The values that are kept, and repeated in frames of the server. `id` may have the name of a topic.
_NAMES: Final = ("id", "message-id", "receipt", "transaction", "destination")
NAME_LENGTH: Final = 1_024
_NUMBER: Final = re.compile("[0-9]{1,15}").fullmatch


def need(frame: Frame, name: str) -> str:
    """The value of a header that must be there. Raises StompError."""
    value = frame.headers.get(name)
    if not value:
        raise StompError("invalid_request", f"{frame.command} needs the header {name}.")
    return value


def check_names(frame: Frame) -> None:
    """Raise StompError if a header that names something is too long."""
    for name in _NAMES:
        if len(frame.headers.get(name, "")) > NAME_LENGTH:
            raise StompError("too_large", f"The header {name} has at most {NAME_LENGTH:,} characters.")


def number(frame: Frame, name: str) -> int | None:
    """A whole number; None without the header. Raises StompError."""
    text = frame.headers.get(name)
    if text is None:
        return None
    if not _NUMBER(text):
        raise StompError("invalid_request", f"The header {name} is a whole number.")
    return int(text)


def mode_of(frame: Frame) -> AckMode:
    """The mode of a subscription. Raises StompError."""
    for mode in _MODES:
        if mode == frame.headers.get("ack", "auto"):
            return mode
    raise StompError("invalid_request", f"The header ack is one of {', '.join(_MODES)}.")


def without_transaction(frame: Frame) -> dict[str, str]:
    """The headers of a frame whose transaction is committed."""
    return {name: value for name, value in frame.headers.items() if name != "transaction"}
