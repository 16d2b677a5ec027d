"""The API keys of tenants: their fields, their scopes, and new ones."""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec
from msgspec import Struct

from tidings_workers.tenants import InvalidValue, RegistryError

Algorithm = Literal["HS256", "RS256", "ES256", "EdDSA"]

SERVER_SCOPES: Final = ("send", "read", "groups", "users", "tokens", "tenant", "webhooks", "events")
INBOX_SCOPE: Final = "inbox"
MESSAGE_SCOPE: Final = "message"
SCOPES: Final = (*SERVER_SCOPES, INBOX_SCOPE, MESSAGE_SCOPE)

# Terminals show the name of a key, so it is one printable line.
KEY_NAME_CHARACTERS: Final = 100


class Key(Struct, frozen=True, kw_only=True):
    """One key of a tenant, with its secrets: never answer or log it; `KeyInfo` has the public part.

    `secret` is the HMAC key as ASCII text (HS256), `public_key` a PEM text (all other algorithms).
    `token_secret` is the HMAC key of the user tokens that the server makes with this key. `name` is the
    operator's note.
    """

    kid: str = ""
    name: str = ""
    alg: Algorithm
    secret: str | None = None
    public_key: str | None = None
    token_secret: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None = None


class KeyInfo(Struct, frozen=True, kw_only=True):
    """The public part of a key."""

    kid: str
    name: str
    alg: Algorithm
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


def info_of(key: Key) -> KeyInfo:
    """The public part of a key."""
    return KeyInfo(
        kid=key.kid,
        name=key.name,
        alg=key.alg,
        scopes=key.scopes,
        created_at=key.created_at,
        revoked_at=key.revoked_at,
    )


def new_key(scopes: Iterable[str] | None, public_key: str | None, alg: str | None, name: str) -> Key:
    """A key without its kid. Raises RegistryError for a value that is not allowed.

    `scopes`: all of them when None. `public_key` is a PEM text and needs its `alg`; without it the key is
    an HS256 key with a secret of its own.
    """
    wanted = _scopes(scopes)
    token_secret = secrets.token_urlsafe(32)
    if public_key is None:
        if alg not in {None, "HS256"}:
            raise InvalidValue(f"an {alg} key is registered with its public half, and none was given")
        return Key(
            name=_name(name),
            alg="HS256",
            secret=secrets.token_urlsafe(32),
            token_secret=token_secret,
            scopes=wanted,
            created_at=datetime.now(UTC),
        )
    if alg is None:
        raise InvalidValue("a public key needs its alg: RS256, ES256 or EdDSA")
    # Most processes register no public key, and the import of the cryptography is slow.
    from tidings_workers.public_keys import InvalidPublicKey, normalise_public_key  # noqa: PLC0415

    try:
        pem = normalise_public_key(public_key, alg)
    except InvalidPublicKey as error:
        raise RegistryError(str(error)) from error
    return Key(
        name=_name(name),
        alg=msgspec.convert(alg, Algorithm),
        public_key=pem,
        token_secret=token_secret,
        scopes=wanted,
        created_at=datetime.now(UTC),
    )


def decode_keys(records: dict[bytes, bytes]) -> dict[str, Key]:
    """The keys of a tenant by kid, from the hash in which Redis keeps them."""
    keys = {}
    for kid, record in records.items():
        name = kid.decode()
        keys[name] = msgspec.structs.replace(msgspec.json.decode(record, type=Key), kid=name)
    return keys


def _scopes(scopes: Iterable[str] | None) -> tuple[str, ...]:
    wanted = SCOPES if scopes is None else tuple(dict.fromkeys(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        named = ", ".join(map(repr, unknown)) or "an empty list"
        raise InvalidValue(f"scopes are {', '.join(SCOPES)}, not {named}")
    return wanted


def _name(name: str) -> str:
    if len(name) > KEY_NAME_CHARACTERS or not name.isprintable():
        raise InvalidValue(f"a key's name is one line of up to {KEY_NAME_CHARACTERS} characters")
    return name.strip()
