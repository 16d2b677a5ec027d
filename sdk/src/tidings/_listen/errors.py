"""`ListenError` and its subclasses: errors of a live inbox."""

from typing import Final

from tidings._api_errors import APIError
from tidings._errors import TidingsError
from tidings._frame_errors import BY_CODE
from tidings._public import publish
from tidings.protocol.closing import CLOSE_CODES, Verdict, verdict_of


class ListenError(TidingsError):
    """A live inbox stopped, or a method of it could not be carried out."""


class ConnectionClosedError(ListenError):
    """The server closed the connection, and the `verdict` of its `code` is to stay away."""

    def __init__(self, code: int | None, reason: str) -> None:
        self.code = code
        self.reason = reason
        self.verdict: Verdict = verdict_of(code)
        known = CLOSE_CODES.get(code or 0)
        cause = (reason or (known.reason if known else "") or "no reason given").rstrip(".")
        super().__init__(
            f"The server closed the connection: {cause}{'' if code is None else f' [{code}]'}. "
            f"{_CLOSE_HINTS.get(code or 0, 'The code means: ' + self.verdict.value)}"
        )


class FrameRefusedError(ListenError):
    """The server answered a frame with `error`; the connection stays open."""

    def __init__(self, code: str, detail: str, ref: str | int | None = None) -> None:
        self.code = code
        self.detail = detail
        self.ref = ref
        kind = BY_CODE.get(code, APIError)
        super().__init__(f"{detail.rstrip('.')} [{code}]. {kind.hint}")


class UnansweredError(ListenError):
    """No answer arrived. It is not known whether the call took effect. It is safe to repeat.

    A message is repeated with the same `idempotency_key`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason.rstrip('.')}, so it is not known whether it took effect. Repeat it")


class MalformedFrameError(ListenError):
    """The server sent a frame that the protocol does not allow. The link closes the connection."""


_CLOSE_HINTS: Final = {
    4001: "Check that the key or token is complete, not revoked, and of this installation",
    4002: "The key of the token was revoked: use another key",
    4003: "The tenant allows one session per user, and a newer one replaced this one",
    4004: "Add the origin to the tenant",
    4005: "The application disconnected this user",
    4007: "Use a user's token, as made by POST /v1/tokens",
    4200: "Give `listen` a key or a callable that returns tokens, so that it can renew them",
}


publish(globals())
