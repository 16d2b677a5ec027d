"""Keys and tokens: the token for the Authorization header, and the time to renew it.

A key never leaves the process. The client signs short-lived tokens from it, one per scope, so that a token
allows no more than its request needs.
"""

import base64
import binascii
import hmac
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from tidings._errors import ConfigurationError
from tidings.protocol.names import TENANT_RULE, is_tenant

SIGNED_SECONDS: Final = 600
# The server refuses a token made in the future. The clock of a client may be this much ahead.
BACKDATED_SECONDS: Final = 30
RENEW_BEFORE_SECONDS: Final = 60
_SECRET_LEAST: Final = 32  # bytes that an HMAC with SHA-256 needs; every key that the server makes has more
SERVICE: Final = "tidings-python"

TokenSource = str | Callable[[], str]
AsyncTokenSource = str | Callable[[], str] | Callable[[], Awaitable[str]]


class Key(msgspec.Struct, frozen=True):
    """The parts of a key, `<tenant>.<kid>.<secret>`. Its repr hides the secret."""

    tenant: str
    kid: str
    secret: str

    @classmethod
    def parse(cls, text: str) -> "Key":
        """Parse a key. Raises ConfigurationError, whose text does not have the key: it may be a secret."""
        parts = text.strip().split(".")
        if len(parts) != 3 or not all(parts):  # noqa: PLR2004 - tenant, kid, secret
            raise ConfigurationError(
                "The key does not have three parts with dots between them, <tenant>.<kid>.<secret>. "
                "Copy the whole key from `tidings-server keys create`"
            )
        tenant, kid, secret = parts
        if not is_tenant(tenant):
            raise ConfigurationError(
                f"The key's tenant {tenant!r} is not valid: a tenant is {TENANT_RULE}. Copy the whole key"
            )
        if not (kid + secret).isascii() or not (kid + secret).isprintable() or " " in kid + secret:
            raise ConfigurationError("The key has characters that no key has. Copy the whole key")
        return cls(tenant, kid, secret)

    def sign(self, scope: str, now: float) -> str:
        """A token for one scope. It is valid from 30 s before `now` (Unix seconds), for 600 s."""
        if len(self.secret) < _SECRET_LEAST:
            raise ConfigurationError("The key's secret is too short: a part is missing. Copy the whole key")
        issued = int(now) - BACKDATED_SECONDS
        claims = {
            "iss": self.tenant,
            "sub": SERVICE,
            "aud": "tidings",
            "iat": issued,
            "exp": issued + SIGNED_SECONDS,
            "scope": scope,
        }
        head = {"alg": "HS256", "kid": self.kid, "typ": "JWT"}
        signed = b".".join(_base64url(msgspec.json.encode(part)) for part in (head, claims))
        signature = hmac.digest(self.secret.encode(), signed, "sha256")
        return (signed + b"." + _base64url(signature)).decode()

    def __repr__(self) -> str:
        return f"Key({self.tenant}.{self.kid}.***)"

    __str__ = __repr__


def _base64url(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def checked_token(text: str) -> str:
    """A token without the blanks around it. Raises ConfigurationError if a header cannot have it."""
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError(
            "The token is empty or has characters that no token has. Copy the whole token"
        )
    return token


def expiry_of(token: str) -> float | None:
    """The claim `exp` of a token, in Unix seconds, not verified; None if it has none."""
    try:
        payload = token.split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        expires = claims["exp"]
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return None
    return float(expires) if isinstance(expires, int | float) else None


class TokenCache:
    """The last token of each scope, until 60 s (`RENEW_BEFORE_SECONDS`) before it expires.

    A token without an expiry is kept until the server refuses it.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, tuple[str, float | None]] = {}

    def get(self, scope: str, now: float) -> str | None:
        token, expires = self._tokens.get(scope, (None, None))
        return token if expires is None or expires - now > RENEW_BEFORE_SECONDS else None

    def put(self, scope: str, token: str) -> str:
        self._tokens[scope] = (token, expiry_of(token))
        return token


class _Credential:
    """A key, a fixed token, or a callable that returns tokens; exactly one of them."""

    def __init__(
        self,
        key: str | Key | None,
        token: AsyncTokenSource | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if (key is None) == (token is None):
            raise ConfigurationError("The client needs either a key or a token. Give key=... or token=...")
        self._key = Key.parse(key) if isinstance(key, str) else key
        self._source = checked_token(token) if isinstance(token, str) else token
        self._cache = TokenCache()
        self._clock = clock

    @property
    def renewable(self) -> bool:
        """Whether `renew` can return another token."""
        return self._key is not None or callable(self._source)

    @property
    def holds_key(self) -> bool:
        return self._key is not None

    def _ready(self, scope: str, *, renew: bool) -> str | None:
        """A fixed, cached or newly signed token; None if the callable has to be called."""
        if isinstance(self._source, str):
            return self._source
        if not renew:
            cached = self._cache.get(self._cached_as(scope), self._clock())
            if cached is not None:
                return cached
        if self._key is not None:
            return self._cache.put(scope, self._key.sign(scope, self._clock()))
        return None

    def _cached_as(self, scope: str) -> str:
        # A token of a callable serves every scope.
        return scope if self._key is not None else ""

    def _keep(self, token: object) -> str:
        if not isinstance(token, str) or not token:
            raise ConfigurationError(f"The token callable must return a string, not {type(token).__name__}")
        return self._cache.put("", checked_token(token))


class Credential(_Credential):
    """The credential of the blocking client."""

    def token(self, scope: str, *, renew: bool = False) -> str:
        """A token for one scope. With `renew` it is a new one, unless the token is fixed."""
        ready = self._ready(scope, renew=renew)
        if ready is not None:
            return ready
        given = self._source() if callable(self._source) else None
        if inspect.iscoroutine(given):
            given.close()
            raise ConfigurationError("The token callable is async. Use AsyncTidings, or a plain function")
        return self._keep(given)

    def for_async(self) -> "AsyncCredential":
        """The same credential for an event loop."""
        return AsyncCredential(self._key, self._source, self._clock)


class AsyncCredential(_Credential):
    """The credential of the async client; its callable may be async or plain."""

    async def token(self, scope: str, *, renew: bool = False) -> str:
        """A token for one scope. With `renew` it is a new one, unless the token is fixed."""
        ready = self._ready(scope, renew=renew)
        if ready is not None:
            return ready
        given = self._source() if callable(self._source) else None
        return self._keep(await given if inspect.isawaitable(given) else given)
