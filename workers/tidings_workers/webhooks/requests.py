"""One signed request to an endpoint, and its outcome."""

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from tidings_workers import standard_webhooks
from tidings_workers.egress.addresses import Networks
from tidings_workers.webhook_endpoints import Webhook

if TYPE_CHECKING:
    from tidings_workers.egress.client import Egress, Endpoint

CONNECTIONS: Final = 16
_HEADERS: Final = {
    "content-type": "application/json",
    "accept-encoding": "identity",
    "user-agent": "tidings",
}


class Outcome(Struct, frozen=True):
    """The outcome of a request. `status` is 0 without an answer; `error` is then the reason."""

    status: int
    error: str
    seconds: float
    retry_after: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the endpoint took the event."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_gone(self) -> bool:
        """Whether the endpoint wants no event any more."""
        return self.status == HTTPStatus.GONE


class Requests:
    """The requests of one process to endpoints. `allowed`: the networks beside public addresses."""

    def __init__(self, allowed: Networks) -> None:
        self._allowed = allowed
        self._egress: Egress | None = None

    def connect(self, url: str) -> "Endpoint":
        """The connections to a URL. Close them."""
        if self._egress is None:
            # The import takes longer than all of a process without webhooks.
            from tidings_workers.egress.client import Egress  # noqa: PLC0415

            self._egress = Egress(self._allowed)
        return self._egress.endpoint(url, CONNECTIONS)

    def close(self) -> None:
        """Start no further look-up of a host."""
        if self._egress is not None:
            self._egress.close()


async def send(endpoint: "Endpoint", webhook: Webhook, event: str, body: bytes, now: int) -> Outcome:
    """POST the body of an event, signed at a time (Unix ms). Every failure is an outcome."""
    from tidings_workers.egress.client import EgressError  # noqa: PLC0415 - `connect` has imported it

    signed = standard_webhooks.headers(webhook.secret, event, now // 1000, body)
    for secret in webhook.secrets(now)[1:]:
        other = standard_webhooks.signature(secret, event, now // 1000, body)
        signed["webhook-signature"] += f" v1,{other}"
    began = time.monotonic()
    try:
        answer = await endpoint.post({**_HEADERS, **signed}, body)
    except EgressError as error:
        return Outcome(0, str(error), _since(began))
    fault = "" if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES else f"status {answer.status}"
    return Outcome(answer.status, fault, _since(began), answer.retry_after)


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
