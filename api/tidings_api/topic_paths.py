"""The name of a topic in a path. Its slashes are percent-encoded: `/v1/topics/news%2Fsport`.

A server decodes a path before the router splits it. So the encoded slashes of this one segment are kept for
the router, and the route decodes them.
"""

from typing import Any, Final
from urllib.parse import unquote_to_bytes

from tidings.protocol.names import TOPIC_RULE, is_topic
from tidings_api.problems import ProblemError

_PREFIX: Final = b"/v1/topics/"
_SLASH: Final = "%2F"


def keep_slashes(scope: Any) -> bool:
    """Give the router the path with the topic as one segment; False for a path without a topic.

    A name with a percent sign stays as it is, because it is no topic.
    """
    raw: bytes = scope.get("raw_path", b"")
    if not raw.startswith(_PREFIX) or b"%25" in raw:
        return False
    topic, *rest = raw[len(_PREFIX) :].split(b"/")
    if any(b"%2f" in part.lower() for part in rest):
        return False
    name = unquote_to_bytes(topic).decode("utf-8", "replace")
    others = [unquote_to_bytes(part).decode("utf-8", "replace") for part in rest]
    scope["path"] = "/".join(["/v1/topics", name.replace("/", _SLASH), *others])
    return True


def topic_of(segment: str) -> str:
    """The topic in a segment of a path. Raises ProblemError (422) for a name that is no topic."""
    name = segment.replace(_SLASH, "/")
    if not is_topic(name):
        raise ProblemError("invalid_request", f"path parameter topic: A topic is {TOPIC_RULE}.")
    return name
