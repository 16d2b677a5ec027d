"""msgspec's messages in the words of the API: the place of a fault, and the rule that it breaks."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from tidings.protocol.errors import FieldError, pointer_step
from tidings.protocol.limits import LINK_LENGTH
from tidings.protocol.names import (
    DEVICE_PATTERN,
    ID_CURE,
    ID_PATTERN,
    ID_RULE,
    IDEMPOTENCY_KEY_PATTERN,
    IDEMPOTENCY_KEY_RULE,
    LINK_PATTERN,
    PATTERN_PATTERN,
    PATTERN_RULE,
    TOPIC_PATTERN,
    TOPIC_RULE,
)

_WHERE: Final = re.compile(r" - at `(?:key` in `)?\$(?P<path>[^`]*)`$")
_STEP: Final = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")
_PATTERN: Final = re.compile(r"Expected `str` matching regex '(?P<pattern>.*)'", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(?P<name>[^`]*)`")
_BOUND: Final = re.compile(
    r"Expected `(?P<type>\w+)` (?P<bound>>=|<=|of length >=|of length <=) (?P<limit>\d+)"
)
_TYPE: Final = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`")

_RULES: Final = {
    ID_PATTERN: f"an id is {ID_RULE}: {ID_CURE}",
    TOPIC_PATTERN: f"a topic is {TOPIC_RULE}",
    PATTERN_PATTERN: f"a pattern is {PATTERN_RULE}",
    IDEMPOTENCY_KEY_PATTERN: f"an idempotency key is {IDEMPOTENCY_KEY_RULE}",
    DEVICE_PATTERN: "a device is named by 1 to 64 characters as in ids",
    LINK_PATTERN: (
        "a link begins with http://, https://, mailto: or a single /, and has no spaces and at most "
        f"{LINK_LENGTH} characters"
    ),
}
_BOUNDS: Final = {
    ">=": "must be {limit} or more",
    "<=": "must be {limit} or less",
    "of length >=": "must not be shorter than {limit}",
    "of length <=": "must not be longer than {limit}",
}
_JSON_NAMES: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "a string",
    "bool": "true or false",
    "array": "an array",
    "object": "an object",
}


def field_error(message: str, base: str = "#") -> FieldError:
    """The message of msgspec about a body as a pointer below `base` (a URI fragment) and a sentence."""
    where = _WHERE.search(message)
    fault = message[: where.start()] if where else message
    pointer = base + (_pointer(where["path"]) if where else "")
    named = _UNKNOWN.fullmatch(fault) or _MISSING.fullmatch(fault)
    if named is not None:
        pointer += "/" + pointer_step(named["name"])
    return FieldError(pointer, in_words(fault))


def listing(faults: Iterable[FieldError]) -> str:
    """All faults on one line, as the end of a sentence, without a full stop."""
    return "; ".join(
        fault.detail.rstrip(".") if fault.pointer == "#" else f"{fault.pointer}: {fault.detail.rstrip('.')}"
        for fault in faults
    )


def one_of(values: Iterable[object]) -> str:
    """The rule of a field that accepts only these values."""
    names = [str(value) for value in values]
    return f"This must be {'one of ' if len(names) > 1 else ''}{', '.join(names)}."


def in_words(fault: str) -> str:
    """One of msgspec's messages as a sentence: without the place, and with a rule in place of a pattern."""
    fault = _WHERE.sub("", fault)
    if found := _PATTERN.match(fault):
        rule = _RULES.get(found["pattern"].replace("\\\\", "\\"), "it does not have the required form")
        return _sentence(rule)
    if found := _UNKNOWN.fullmatch(fault):
        return "There is no such field here."
    if found := _MISSING.fullmatch(fault):
        return f"The field {found['name']} is required."
    if found := _BOUND.match(fault):
        return _sentence("it " + _BOUNDS[found["bound"]].format(limit=found["limit"]))
    if found := _TYPE.match(fault):
        wanted = " or ".join(_JSON_NAMES.get(name, name) for name in found["wanted"].split(" | "))
        return f"This must be {wanted}, not {_JSON_NAMES.get(found['got'], found['got'])}."
    return _sentence(fault)


def steps_of(pointer: str) -> tuple[str, ...]:
    """The names and indexes of a pointer (a URI fragment) from the outside in."""
    return tuple(
        unquote(step).replace("~1", "/").replace("~0", "~")
        for step in pointer.removeprefix("#").split("/")[1:]
    )


def _pointer(path: str) -> str:
    steps = []
    for step in _STEP.finditer(path):
        if step["name"] is None and step["index"] is None:
            break  # a value of a dict: msgspec does not name its key
        steps.append(pointer_step(step["name"] or step["index"]))
    return "".join("/" + step for step in steps)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
