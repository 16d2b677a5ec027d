"""From keyword arguments to the body of a send."""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, TypedDict

import msgspec

from tidings._errors import InvalidArgumentError
from tidings._invalid import not_valid
from tidings._keywords import unknown
from tidings._public import publish
from tidings.protocol.names import ID_CURE, ID_RULE, TOPIC_RULE, is_id, is_topic
from tidings.protocol.notifications import Action, CreateNotification, Priority


class Message(TypedDict, total=False):
    """A notification to send: the keywords of `send`, and an element of `send_batch` and `send_many`.

    At least one of `to_users`, `to_groups`, `to_all`, `to_topics` and one of `title`, `body`, `data` are
    required. A plain dict with these keys works too; with this type a type checker checks each key.

    to_users: ids of users, up to 1,000; a single string counts as a list of one.
    to_groups: ids of groups, up to 100.
    to_all: true for every user of the tenant.
    exclude: ids of users who receive no copy, up to 1,000. A user who is named more than once receives one
        copy.
    to_topics: names of topics, up to 100, without any other target; a single string counts as a list of one.
    category: the subject, up to 128 characters; inboxes filter by it.
    title, body: text.
    data: a JSON object for your own code.
    link: the URL that a click opens: http, https, mailto, or a path that begins with one slash.
    icon: the URL of an image, as `link`.
    group_key: consecutive notifications with the same key are shown as one row; up to 100 characters.
    actions: up to 10 buttons: `Action`, or dicts with `id`, `label` and optionally `link`.
    priority: low, normal, high or urgent.
    expires_in: seconds, or a timedelta, until it is removed from inboxes; at most a year.

    The whole message has at most 32 KB as JSON.
    """

    to_users: Iterable[str] | str
    to_groups: Iterable[str] | str
    to_all: bool
    exclude: Iterable[str] | str
    to_topics: Iterable[str] | str
    category: str | None
    title: str | None
    body: str | None
    data: Mapping[str, Any] | None
    link: str | None
    icon: str | None
    group_key: str | None
    actions: Iterable[Action | Mapping[str, Any]]
    priority: Priority
    expires_in: int | timedelta | None


_TARGETS = {
    "to_users": "users",
    "to_groups": "groups",
    "to_all": "all",
    "exclude": "exclude",
    "to_topics": "topics",
}
_CONTENT = Message.__annotations__.keys() - _TARGETS.keys()


def compose(message: Mapping[str, Any]) -> CreateNotification:
    """Check a message and convert it to the type of the wire.

    Raises InvalidArgumentError: an unknown keyword, no target, no content, a value over its limit, or data
    that JSON cannot represent (NaN, infinity, lone surrogates, objects of other types).
    """
    if not isinstance(message, Mapping):
        raise InvalidArgumentError(
            f"A message must be a dict, not {type(message).__name__}. "
            "Give one such as {'to_users': ['ana'], 'title': 'Hi'}"
        )
    if wrong := message.keys() - Message.__annotations__.keys():
        raise unknown("A message has no field", wrong, Message.__annotations__)
    target = _target(message)
    fields = {name: value for name, value in message.items() if name in _CONTENT and value is not None}
    if not fields.keys() & {"title", "body", "data"}:
        raise InvalidArgumentError("A notification needs content: give a title, a body or data")
    if isinstance(fields.get("expires_in"), timedelta):
        fields["expires_in"] = math.ceil(fields["expires_in"].total_seconds())
    if "actions" in fields:
        fields["actions"] = _listed(fields["actions"])
    if "data" in fields:
        fields["data"] = _json_object(fields["data"])
    body = {**fields, "to": target}
    try:
        created = msgspec.convert(body, CreateNotification)
        msgspec.json.encode(created)
    except msgspec.ValidationError as error:
        raise not_valid("notification", body, CreateNotification, error) from None
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"The text is not valid Unicode: {error}") from None
    return created


def _target(message: Mapping[str, Any]) -> dict[str, Any]:
    read: dict[str, Callable[[Any], Any]] = dict.fromkeys(_TARGETS, _names)
    read |= {"to_all": _flag, "to_topics": _topics}
    target = {
        field: read[name](message[name]) for name, field in _TARGETS.items() if message.get(name) is not None
    }
    if target.get("topics"):
        if any(target.get(other) for other in ("users", "groups", "all", "exclude")):
            raise InvalidArgumentError("A send to topics has no other target. Give to_topics alone")
    elif not (target.get("users") or target.get("groups") or target.get("all")):
        raise InvalidArgumentError(
            "A notification needs a target: give to_users, to_groups, to_topics or to_all=True"
        )
    return target


def _names(value: Any) -> list[str]:
    names = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    for name in names:
        if not isinstance(name, str) or not is_id(name):
            raise InvalidArgumentError(
                f"{name!r} is not the id of a user or group: an id is {ID_RULE}: {ID_CURE}"
            )
    return names


def _flag(value: Any) -> Any:
    """A flag as it is: the type of the wire refuses all but true and false."""
    return value


def _topics(value: Any) -> list[str]:
    names = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    for name in names:
        if not isinstance(name, str) or not is_topic(name):
            raise InvalidArgumentError(f"{name!r} is not the name of a topic: it is {TOPIC_RULE}")
    return names


def _listed(actions: Any) -> list[Any]:
    if isinstance(actions, str | Mapping | Action) or not isinstance(actions, Iterable):
        raise InvalidArgumentError(
            "The notification is not valid: actions must be a list of actions, such as "
            "[{'id': 'track', 'label': 'Track'}]"
        )
    return list(actions)


def _json_object(data: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = _finite(msgspec.to_builtins(dict(data)))
    except RecursionError:
        wrong = "data contains itself, or is nested too deeply"
    except UnicodeEncodeError as error:
        wrong = f"data has a text that is not valid Unicode: {error}"
    except (TypeError, ValueError) as error:
        if not isinstance(data, Mapping):
            wrong = f"data must be a dict, not {type(data).__name__}"
        else:
            wrong = f"data has a value that JSON cannot represent: {error}"
    else:
        return found
    raise InvalidArgumentError(f"The notification is not valid: {wrong}")


def _finite(value: Any) -> Any:
    """Raise ValueError for NaN and infinity: msgspec would silently send them as null."""
    match value:
        case float() if not math.isfinite(value):
            raise ValueError(f"{value} is not a number of JSON")
        case dict():
            for inner in value.values():
                _finite(inner)
        case list():
            for inner in value:
                _finite(inner)
    return value


publish(globals())
