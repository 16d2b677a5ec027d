"""The URL and the token of a connection."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import msgspec

from tidings._credentials import RENEW_BEFORE_SECONDS, AsyncCredential
from tidings._token import UserToken


class Access(msgspec.Struct, frozen=True):
    """The URL and the token of one connection. `fresh`: the token was made for this attempt."""

    realtime_url: str
    token: str
    fresh: bool


class AccessSource(Protocol):
    """Returns an `Access` for each connection. It keeps a token until shortly before that expires."""

    @property
    def renewable(self) -> bool:
        """Whether `renew` can return another token."""
        ...

    async def get(self, *, renew: bool) -> Access:
        """The access for the next connection; with `renew`, with another token. Raises TidingsError."""
        ...


class CreateToken(Protocol):
    """`AsyncTokens.create`."""

    async def __call__(
        self, user: str, *, expires_in: int = ..., topics: Iterable[str] | None = ...
    ) -> UserToken: ...


LIFETIME_SECONDS: Final = 3600


class UserAccess:
    """Access with tokens of one user from `POST /v1/tokens`. Its answer also has the URL."""

    renewable = True

    def __init__(
        self,
        create: CreateToken,
        user: str,
        realtime_url: str | None,
        topics: Sequence[str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._create = create
        self._user = user
        self._url = realtime_url
        self._topics = topics
        self._clock = clock
        self._kept: UserToken | None = None

    async def get(self, *, renew: bool) -> Access:
        """The kept token if it is valid for more than another minute, else a new one."""
        fresh = renew or self._kept is None or self._remaining(self._kept) <= RENEW_BEFORE_SECONDS
        if fresh or self._kept is None:
            self._kept = await self._create(self._user, expires_in=LIFETIME_SECONDS, topics=self._topics)
        return Access(self._url or self._kept.realtime_url, self._kept.token, fresh)

    def _remaining(self, token: UserToken) -> float:
        return token.expires_at.timestamp() - self._clock()


class GivenAccess:
    """Access with a token of the application, fixed or from a callable, and a URL that it names."""

    def __init__(self, credential: AsyncCredential, realtime_url: str) -> None:
        self._credential = credential
        self._url = realtime_url
        self._last: str | None = None

    @property
    def renewable(self) -> bool:
        """Whether the token comes from a callable."""
        return self._credential.renewable

    async def get(self, *, renew: bool) -> Access:
        """The token of the application; `fresh` if it differs from the one before."""
        token = await self._credential.token("inbox", renew=renew)
        fresh, self._last = token != self._last, token
        return Access(self._url, token, fresh)
