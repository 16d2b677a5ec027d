r"""The alphabets of the names that cross the wire, as patterns and as annotated types.

The patterns are valid both for Python's `re` and for ECMA-262, so that JSON Schema has them unchanged. They
end in ``$(?!\n)`` because Python's ``$`` also matches before a trailing newline.
"""

import re
from typing import Annotated, Final

from msgspec import Meta

from tidings.protocol import limits

ID_PATTERN: Final = r"^(?!\.{1,2}$)[A-Za-z0-9._:@+|=~\-]{1,128}$(?!\n)"
DEVICE_PATTERN: Final = r"^(?!\.{1,2}$)[A-Za-z0-9._:@+|=~\-]{1,64}$(?!\n)"
TENANT_PATTERN: Final = r"^[a-z0-9\-]{1,40}$(?!\n)"
LINK_PATTERN: Final = (
    r"^(?:[hH][tT][tT][pP][sS]?://(?=[^/])|[mM][aA][iI][lL][tT][oO]:(?=.)|/(?![/\\]))[^\x00-\x20\x7F]*$(?!\n)"
)
TOPIC_PATTERN: Final = (
    r"^(?=[^\n]{1,200}$)(?!\.{1,2}(?:/|$))[A-Za-z0-9._:@+|=~\-]+"
    r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._:@+|=~\-]+)*$(?!\n)"
)
EVENT_PATTERN: Final = TOPIC_PATTERN.replace("{1,200}", f"{{1,{limits.EVENT_LENGTH}}}")
PATTERN_PATTERN: Final = (
    r"^(?=[^\n]{1,200}$)"
    r"(?:(?:\*|(?!\.{1,2}(?:/|$))(?:[A-Za-z0-9._:@+|=~\-]|\{sub\})+)/)*"
    r"(?:\*\*?|(?!\.{1,2}$)(?:[A-Za-z0-9._:@+|=~\-]|\{sub\})+)$(?!\n)"
)
LOG_PATTERN: Final = r"^(?:user|all|group:(?!\.{1,2}$)[A-Za-z0-9._:@+|=~\-]{1,128})$(?!\n)"

IDEMPOTENCY_KEY_PATTERN: Final = rf"^[\x20-\x7E]{{1,{limits.IDEMPOTENCY_KEY_LENGTH}}}$(?!\n)"

IDEMPOTENCY_KEY_RULE: Final = f"1 to {limits.IDEMPOTENCY_KEY_LENGTH} printable ASCII characters"
ID_RULE: Final = "1 to 128 of A-Z a-z 0-9 . _ - : @ + | = ~, but not '.' or '..'"
ID_CURE: Final = "encode another id, in base64url for example, or use a hash of it"
DEVICE_RULE: Final = "1 to 64 of A-Z a-z 0-9 . _ - : @ + | = ~, but not '.' or '..'"
TENANT_RULE: Final = "1 to 40 of a-z 0-9 -"
TOPIC_RULE: Final = (
    "1 to 200 characters: segments of A-Z a-z 0-9 . _ - : @ + | = ~ with / between them, "
    "none empty, '.' or '..'"
)
EVENT_RULE: Final = TOPIC_RULE.replace("1 to 200", f"1 to {limits.EVENT_LENGTH}")
PATTERN_RULE: Final = (
    "a topic in which a segment may be *, the last one **, and {sub} stands for the user; "
    "at most 200 characters"
)
LOG_RULE: Final = "user, all, or group:<id>"

is_id: Final = re.compile(ID_PATTERN).match
is_device: Final = re.compile(DEVICE_PATTERN).match
is_tenant: Final = re.compile(TENANT_PATTERN).match
is_topic: Final = re.compile(TOPIC_PATTERN).match
is_event: Final = re.compile(EVENT_PATTERN).match
is_topic_pattern: Final = re.compile(PATTERN_PATTERN).match
is_log: Final = re.compile(LOG_PATTERN).match
is_idempotency_key: Final = re.compile(IDEMPOTENCY_KEY_PATTERN).match

UserId = Annotated[str, Meta(pattern=ID_PATTERN, description=f"A user, by the tenant's own id: {ID_RULE}.")]
GroupId = Annotated[str, Meta(pattern=ID_PATTERN, description=f"A group, by the tenant's own id: {ID_RULE}.")]
TopicName = Annotated[str, Meta(pattern=TOPIC_PATTERN, description=f"A topic: {TOPIC_RULE}.")]
EventName = Annotated[str, Meta(pattern=EVENT_PATTERN, description=f"An event: {EVENT_RULE}.")]
TopicPattern = Annotated[
    str, Meta(pattern=PATTERN_PATTERN, description=f"A pattern of topics: {PATTERN_RULE}.")
]
Device = Annotated[
    str, Meta(pattern=DEVICE_PATTERN, description="A device's own name: 1 to 64 characters as in ids.")
]
Link = Annotated[
    str,
    Meta(
        pattern=LINK_PATTERN,
        max_length=limits.LINK_LENGTH,
        description="http, https, mailto, or a path that begins with a single slash.",
    ),
]
Position = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Seconds = Annotated[int, Meta(ge=1)]
Timestamp = Annotated[
    str,
    Meta(
        description="RFC 3339 in UTC with milliseconds.",
        examples=["2026-11-22T07:00:00.123Z"],
        extra_json_schema={"format": "date-time"},
    ),
]


def log_of_group(group: str) -> str:
    """The name of a group's log in frames and position maps: ``group:<id>``."""
    return "group:" + group


def group_of_log(log: str) -> str | None:
    """The group of a log, from its name in frames; None for the log of a user, of a topic or of all."""
    return log[len("group:") :] if log.startswith("group:") else None


def log_of_topic(topic: str) -> str:
    """The name of a topic's log in frames and position maps: ``topic:<name>``."""
    return "topic:" + topic


def topic_of_log(log: str) -> str | None:
    """The topic of a log, from its name in frames; None for the log of a user, of a group or of all."""
    return log[len("topic:") :] if log.startswith("topic:") else None
