"""Patterns that name the topics which a token or a tenant allows. Pure.

A pattern is a topic in which a segment may be `*` (any one segment), the last one may be `**` (one segment or
more), and `{sub}` stands for the id of the token's user, also as a part of a segment. A segment is compared
with a segment, so a match takes time that is linear in the length of the pattern. A name that is no topic
matches nothing: that is checked first, so nothing needs to be decoded or normalised here.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from tidings.protocol import limits
from tidings.protocol.names import PATTERN_RULE, is_topic, is_topic_pattern

SUBJECT: Final = "{sub}"
ONE: Final = "*"
REST: Final = "**"


def fault(patterns: Sequence[str]) -> str | None:
    """The first fault of a list of patterns as a sentence without a full stop; None when there is none."""
    if len(patterns) > limits.TOPIC_PATTERNS:
        return f"at most {limits.TOPIC_PATTERNS} patterns of topics are allowed, not {len(patterns)}"
    wrong = next((pattern for pattern in patterns if not is_topic_pattern(pattern)), None)
    return None if wrong is None else f"a pattern is {PATTERN_RULE}, not {wrong[:100]!r}"


def allows(patterns: Iterable[str], topic: str, subject: str) -> bool:
    """Whether one of these patterns, in the token of `subject`, matches a topic."""
    if not is_topic(topic):
        return False
    segments = topic.split("/")
    return any(_covers(pattern, segments, subject) for pattern in patterns)


def within(patterns: Sequence[str], subject: str, allowed: Sequence[str], granter: str) -> list[int]:
    """The indexes of patterns for `subject` that match a topic which `allowed`, for `granter`, does not.

    Conservative: a pattern has to be within one of the allowed ones, and not within several together.
    """
    return [
        index
        for index, pattern in enumerate(patterns)
        if not any(_covers(each, _filled(pattern, subject), granter) for each in allowed)
    ]


def _filled(pattern: str, subject: str) -> list[str]:
    """The segments of a pattern, with the user in it."""
    return [segment.replace(SUBJECT, subject) for segment in pattern.split("/")]


def _covers(pattern: str, segments: Sequence[str], subject: str) -> bool:
    """Whether a pattern matches every topic that these segments name. They may contain wildcards."""
    wanted = _filled(pattern, subject)
    if wanted[-1] == REST:
        head, rest = wanted[:-1], len(segments) >= len(wanted)
    else:
        # `**` is more than any number of single segments.
        head, rest = wanted, len(segments) == len(wanted) and segments[-1] != REST
    return rest and all(mine in {ONE, theirs} for mine, theirs in zip(head, segments, strict=False))
