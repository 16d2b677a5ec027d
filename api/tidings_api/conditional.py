"""Conditional requests (RFC 9110, section 13.1.2): 304 without content when the client's copy is current.

Tags are weak: the same tag means the same content, not the same bytes.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.di import NamedDependency

from tidings_api.bodies import header

HEADER: Final = "If-None-Match"
CONDITIONAL_OPTION: Final = "conditional"
# The `opt` of a route that supports If-None-Match.
CONDITIONAL: Final[Mapping[str, Any]] = {CONDITIONAL_OPTION: True}

_TAG_BYTES: Final = 12
_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


class Condition:
    """The If-None-Match of a request: the tags of the answers that its client has."""

    def __init__(self, fields: list[bytes]) -> None:
        # Several lines are one list (RFC 9110, section 5.3).
        value = b",".join(fields).decode("latin-1").strip()
        self.given = bool(fields)
        self._any = value == "*"
        self._tags = frozenset(_TAG.findall(value))

    def is_met(self, tag: str) -> bool:
        """Whether the client lacks the content with this tag, so that the answer has to contain it."""
        return not self._any and tag.removeprefix("W/") not in self._tags


Conditional = NamedDependency[Condition]


async def provide_condition(request: Request[Any, Any, State]) -> Condition:
    """The request's If-None-Match."""
    return Condition(header(request.scope["headers"], b"if-none-match"))


def weak_tag(*parts: str | int | bool | None) -> str:
    """The tag of a content. `parts` are everything that selects the content, and its version."""
    digest = hashlib.blake2b(msgspec.json.encode(parts), digest_size=_TAG_BYTES).digest()
    return f'W/"{base64.urlsafe_b64encode(digest).decode()}"'


def not_modified(tag: str) -> Response[Any]:
    """The answer 304, without content."""
    return Response(None, status_code=304, headers={"etag": tag})
