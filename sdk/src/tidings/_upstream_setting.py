"""The setting of a tenant's upstream, for both clients."""

from tidings._async_resources import AsyncRun
from tidings._calls import upstream as calls
from tidings._keywords import checks_keywords
from tidings._public import publish
from tidings._resources import Run
from tidings._retries import Retries
from tidings.protocol.rest import UpstreamSetting, UpstreamWithSecret


class UpstreamSettings:
    """The upstream of the tenant: the URL of the application that answers messages of clients."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @checks_keywords
    def set(
        self,
        url: str,
        *,
        secret: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> UpstreamWithSecret:
        """Set the upstream. Its `secret` signs the calls: give it to `Upstream` in the application.

        Without a `secret` the server makes a new one at each call, and no other call shows it.
        """
        return self._run(calls.set_upstream(url, secret), timeout=timeout, retries=retries)

    @checks_keywords
    def get(self, *, timeout: float | None = None, retries: Retries | None = None) -> UpstreamSetting:
        """The upstream without its secret. Raises NotFoundError if there is none."""
        return self._run(calls.get(), timeout=timeout, retries=retries)

    @checks_keywords
    def remove(self, *, timeout: float | None = None, retries: Retries | None = None) -> None:
        """Remove the upstream; idempotent. Messages are then refused with `no_upstream`."""
        self._run(calls.remove(), timeout=timeout, retries=retries)


class AsyncUpstreamSettings:
    """As `UpstreamSettings`."""

    def __init__(self, run: AsyncRun) -> None:
        self._run = run

    @checks_keywords
    async def set(
        self,
        url: str,
        *,
        secret: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> UpstreamWithSecret:
        """As `UpstreamSettings.set`."""
        return await self._run(calls.set_upstream(url, secret), timeout=timeout, retries=retries)

    @checks_keywords
    async def get(self, *, timeout: float | None = None, retries: Retries | None = None) -> UpstreamSetting:
        """As `UpstreamSettings.get`."""
        return await self._run(calls.get(), timeout=timeout, retries=retries)

    @checks_keywords
    async def remove(self, *, timeout: float | None = None, retries: Retries | None = None) -> None:
        """As `UpstreamSettings.remove`."""
        await self._run(calls.remove(), timeout=timeout, retries=retries)


publish(globals())
