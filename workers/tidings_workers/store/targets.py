"""Targets: which sends go to one log, and which are copied to each user or topic."""

from typing import Final

import msgspec

from tidings.protocol.notifications import Target
from tidings_workers.store.keys import Keys, Log

_encode: Final = msgspec.json.Encoder().encode


def encode_target(target: Target) -> str:
    """A target as it is stored."""
    return _encode(target).decode()


def is_plain(target: Target) -> bool:
    """Whether a target is one user, one group or all, and nothing else: its log says all of it."""
    named = len(target.users) + len(target.groups) + target.all
    return named == 1 and not target.exclude and not target.topics


def single_log(target: Target) -> tuple[str, str] | None:
    """The one log of a target as (kind, name), or None for a compound target."""
    if target.topics:
        return ("topic", target.topics[0]) if len(set(target.topics)) == 1 else None
    if target.all:
        return "all", ""
    if not target.groups:
        users = set(target.users) - set(target.exclude) if target.exclude else set(target.users)
        if len(users) == 1:
            return "user", users.pop()
        return None if users else ("nobody", "")
    if not target.users and len(set(target.groups)) == 1:
        return "group", target.groups[0]
    return None


def log_of(keys: Keys, tenant: str, target: Target) -> Log | None:
    """The one log of this target. None for a compound target, and for one without users."""
    one = single_log(target)
    return log_named(keys, tenant, *one) if one is not None else None


def is_compound(target: Target) -> bool:
    """Whether a target takes several logs, so that each of its users or topics gets a copy."""
    return single_log(target) is None


def log_named(keys: Keys, tenant: str, kind: str, name: str) -> Log | None:
    """The log of a kind and name, as `single_log` returns them. None if the kind has no log."""
    if kind == "user":
        return keys.user(tenant, name)
    if kind == "group":
        return keys.group(tenant, name)
    if kind == "topic":
        return keys.topic(tenant, name)
    return keys.all(tenant) if kind == "all" else None
