"""Where to connect, and with which token."""

import time
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from tidings._credentials import RENEW_BEFORE_SECONDS, AsyncCredential
from tidings._token import UserToken


class Access(msgspec.Struct, frozen=True):
    """What one connection needs. `fresh`: the token was made for this very attempt."""

    realtime_url: str
    token: str
    fresh: bool


class AccessSource(Protocol):
    """Gives access again and again, with a kept token as long as it is good for a while."""

    @property
    def renewable(self) -> bool:
        """Whether `renew` can give another token."""
        ...

    async def get(self, *, renew: bool) -> Access:
        """Access; with `renew`, by another token than before. Raises TidingsError."""
        ...


class CreateToken(Protocol):
    """`AsyncTokens.create`."""

    async def __call__(self, user: str, *, expires_in: int = ...) -> UserToken: ...


LIFETIME_SECONDS: Final = 3600


class UserAccess:
    """Tokens for one user, made by `POST /v1/tokens`, whose answer says where to connect."""

    renewable = True

    def __init__(
        self,
        create: CreateToken,
        user: str,
        realtime_url: str | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._create = create
        self._user = user
        self._url = realtime_url
        self._clock = clock
        self._kept: UserToken | None = None

    async def get(self, *, renew: bool) -> Access:
        """A kept token while it is good for another minute, else a new one."""
        fresh = renew or self._kept is None or self._remaining(self._kept) <= RENEW_BEFORE_SECONDS
        if fresh or self._kept is None:
            self._kept = await self._create(self._user, expires_in=LIFETIME_SECONDS)
        return Access(self._url or self._kept.realtime_url, self._kept.token, fresh)

    def _remaining(self, token: UserToken) -> float:
        return token.expires_at.timestamp() - self._clock()


class GivenAccess:
    """The application's own token, fixed or from a callable, for a URL that it names."""

    def __init__(self, credential: AsyncCredential, realtime_url: str) -> None:
        self._credential = credential
        self._url = realtime_url
        self._last: str | None = None

    @property
    def renewable(self) -> bool:
        """Whether the token comes from a callable."""
        return self._credential.renewable

    async def get(self, *, renew: bool) -> Access:
        """The token as the application gives it."""
        token = await self._credential.token("inbox", renew=renew)
        fresh, self._last = token != self._last, token
        return Access(self._url, token, fresh)
