"""Tenants and their keys: changes by the operator, and the copy that every process keeps.

All of it is in one slot of Redis (hash tag ``{tidings}``). Each change is one atomic script that also raises
a version. Every process polls that version and loads everything again after it rose.
"""

from tidings_workers.registry.api_keys import (
    INBOX_SCOPE,
    KEY_NAME_CHARACTERS,
    MESSAGE_SCOPE,
    SCOPES,
    SERVER_SCOPES,
    Algorithm,
    Key,
    KeyInfo,
)
from tidings_workers.registry.changes import NameKeepsData, Registry, TenantExists
from tidings_workers.registry.view import POLL_SECONDS, REFRESH_SECONDS, RegistryView

__all__ = [
    "INBOX_SCOPE",
    "KEY_NAME_CHARACTERS",
    "MESSAGE_SCOPE",
    "POLL_SECONDS",
    "REFRESH_SECONDS",
    "SCOPES",
    "SERVER_SCOPES",
    "Algorithm",
    "Key",
    "KeyInfo",
    "NameKeepsData",
    "Registry",
    "RegistryView",
    "TenantExists",
]
