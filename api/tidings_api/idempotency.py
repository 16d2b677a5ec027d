"""The header Idempotency-Key, quoted or bare, and the digest of the request that it names."""

import hashlib
import re
from collections.abc import Iterable
from typing import Annotated, Any, Final

import msgspec
from litestar.params import HeaderParameter
from msgspec import UNSET

from tidings.protocol import limits
from tidings_api.problems import ProblemError
from tidings_api.turns import Turn
from tidings_workers import json_text
from tidings_workers.store import Idempotency
from tidings_workers.store.content import PostedNotification

HEADER: Final = "Idempotency-Key"
_RULE: Final = f"1 to {limits.IDEMPOTENCY_KEY_LENGTH} printable ASCII characters, bare or quoted."

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name=HEADER,
        description="The name of this request. A repetition with the same body within 24 hours gets the same "
        f"answer and sends nothing. {_RULE}",
    ),
]

_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\["\\])*)"').fullmatch
_ESCAPE: Final = re.compile(r"\\(.)")
_KEY: Final = re.compile(rf"[\x20-\x7E]{{1,{limits.IDEMPOTENCY_KEY_LENGTH}}}").fullmatch

# The same JSON in another order or spacing is the same request.
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


async def idempotency(key: str | None, route: str, parts: Iterable[Any]) -> Idempotency | None:
    """The key and the digest of a request's parts, which are decoded or Raw; None without a key.

    Raises ProblemError (422) for an invalid key.
    """
    if key is None:
        return None
    quoted = _QUOTED(key.strip())
    bare = _ESCAPE.sub(r"\1", quoted[1]) if quoted else key.strip()
    if not _KEY(bare):
        raise ProblemError(
            "invalid_request",
            f"The {HEADER} must be {_RULE}",
        )
    digest = hashlib.sha256(route.encode())
    turn = Turn()
    for part in parts:
        encoded = _encoded(part)
        digest.update(b"%d\n" % len(encoded))
        digest.update(encoded)
        await turn.pause_if_over()
    return Idempotency(bare, digest.digest())


def _encoded(part: Any) -> bytes:
    if isinstance(part, PostedNotification) and part.data is not UNSET:
        data = msgspec.Raw(json_text.canonical(bytes(part.data)))
        return _encode(msgspec.structs.replace(part, data=data))
    return _encode(part)
