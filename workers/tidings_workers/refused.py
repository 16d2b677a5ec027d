"""The refusal of a request, whatever its transport: HTTP answers with a problem, a socket with `error`."""

from tidings.protocol.errors import FieldError
from tidings_workers.store import (
    IdempotencyInProgress,
    IdempotencyMismatch,
    StorageUnavailable,
)


class Refused(Exception):
    """The server does not carry out a request. `code` is one of the table of errors.

    `detail` names the fault, and then the cure. `errors` has the faults of the body, at most 20.
    """

    def __init__(self, code: str, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = errors


# The errors of the store that a client can act on.
Refusable = StorageUnavailable | IdempotencyMismatch | IdempotencyInProgress


def refusal_of(error: Refusable) -> Refused:
    """The refusal of a request that the store did not carry out."""
    match error:
        case StorageUnavailable():
            return Refused(
                "storage_unavailable", "The storage does not answer right now: try again in a second."
            )
        case IdempotencyMismatch():
            return Refused(
                "idempotency_mismatch",
                "This Idempotency-Key was used with another body within the last 24 hours: use a new one.",
            )
        case IdempotencyInProgress():
            return Refused(
                "idempotency_in_progress",
                "The first request with this Idempotency-Key is still being answered: repeat this one in a "
                "second.",
            )
