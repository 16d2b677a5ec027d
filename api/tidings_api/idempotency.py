"""The header Idempotency-Key, quoted or bare, and the digest of the request that it names."""

from collections.abc import Iterable
from typing import Annotated, Any

from litestar.params import HeaderParameter

from tidings_api.turns import Turn
from tidings_workers.sending import KEY_HEADER, KEY_RULE, RequestDigest, bare_key
from tidings_workers.store import Idempotency

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name=KEY_HEADER,
        description="The name of this request. A repetition with the same body within 24 hours gets the same "
        f"answer and sends nothing. {KEY_RULE}",
    ),
]


async def idempotency(header: str | None, route: str, parts: Iterable[Any]) -> Idempotency | None:
    """The key and the digest of a request's parts, which are decoded or Raw; None without a key.

    Raises Refused (422) for an invalid key.
    """
    if header is None:
        return None
    key, digest, turn = bare_key(header), RequestDigest(route), Turn()
    for part in parts:
        digest.add(part)
        await turn.pause_if_over()
    return digest.named(key)
