"""From keyword arguments to the body of a send."""

import math
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, TypedDict

import msgspec

from tidings import _publish
from tidings._errors import InvalidArgumentError
from tidings._invalid import not_valid
from tidings._keywords import unknown
from tidings.protocol.names import ID_CURE, ID_RULE, is_id
from tidings.protocol.notifications import Action, CreateNotification, Priority


class Message(TypedDict, total=False):
    """A notification to send: the keywords of `send`, and an element of `send_batch` and `send_many`.

    At least one of `to_users`, `to_groups`, `to_all` and one of `title`, `body`, `data` are needed. A
    dict with these keys does as well; this type lets a type checker look at each key.

    to_users: ids of users, up to 1,000; a lone string is a list of one.
    to_groups: ids of groups, up to 100.
    to_all: true for every user of the tenant.
    exclude: ids of users who get no copy, up to 1,000. A user reached in several ways gets one copy.
    category: what it is about, up to 128 characters; inboxes filter by it.
    title, body: text.
    data: a JSON object for your own code.
    link: where a click leads: http, https, mailto, or a path beginning with one slash.
    icon: an image's URL, as `link`.
    actions: up to 10 buttons: `Action`, or dicts with `id`, `label` and perhaps `link`.
    priority: low, normal, high or urgent.
    expires_in: seconds, or a timedelta, until it is removed from inboxes; at most a year.

    All of it is at most 32 KB as JSON.
    """

    to_users: Iterable[str] | str
    to_groups: Iterable[str] | str
    to_all: bool
    exclude: Iterable[str] | str
    category: str | None
    title: str | None
    body: str | None
    data: Mapping[str, Any] | None
    link: str | None
    icon: str | None
    actions: Iterable[Action | Mapping[str, Any]]
    priority: Priority
    expires_in: int | timedelta | None


_TARGETS = {"to_users": "users", "to_groups": "groups", "to_all": "all", "exclude": "exclude"}
_CONTENT = Message.__annotations__.keys() - _TARGETS.keys()


def compose(message: Mapping[str, Any]) -> CreateNotification:
    """Check a message and bring it into the wire's shape.

    Raises InvalidArgumentError: an unknown keyword, no target, no content, a value over its limit,
    or data that JSON cannot say (NaN, infinity, lone surrogates, objects of no JSON type).
    """
    if not isinstance(message, Mapping):
        raise InvalidArgumentError(
            "A message is a dict such as {'to_users': ['ana'], 'title': 'Hi'}, "
            f"not of the type {type(message).__name__}"
        )
    if wrong := message.keys() - Message.__annotations__.keys():
        raise unknown("A message has no field", wrong, Message.__annotations__)
    target = {
        _TARGETS[name]: value if name == "to_all" else _names(value)
        for name, value in message.items()
        if name in _TARGETS and value is not None
    }
    fields = {name: value for name, value in message.items() if name in _CONTENT and value is not None}
    if not (target.get("users") or target.get("groups") or target.get("all")):
        raise InvalidArgumentError("A notification needs a target: give to_users, to_groups or to_all=True")
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


def _names(value: Any) -> list[str]:
    names = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    for name in names:
        if not isinstance(name, str) or not is_id(name):
            raise InvalidArgumentError(f"{name!r} cannot name a user or group: ids are {ID_RULE}: {ID_CURE}")
    return names


def _listed(actions: Any) -> list[Any]:
    if isinstance(actions, str | Mapping | Action) or not isinstance(actions, Iterable):
        raise InvalidArgumentError(
            "The notification is not valid: actions is a list of actions, such as "
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
            wrong = f"data is a dict, not of the type {type(data).__name__}"
        else:
            wrong = f"data has a value that JSON does not have: {error}"
    else:
        return found
    raise InvalidArgumentError(f"The notification is not valid: {wrong}")


def _finite(value: Any) -> Any:
    """Refuse what msgspec would silently send as null."""
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


_publish(globals())
