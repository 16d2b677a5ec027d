"""The services that routes use: the store, the view of the registry and the verifier of tokens."""

import time
from typing import Final

from tidings_workers.config import Settings
from tidings_workers.registry import RegistryView
from tidings_workers.store import StorageUnavailable, Store
from tidings_workers.tokens import Identity, Verifier

PROBE_FRESH_SECONDS: Final = 5.0


class Services:
    """The services of one API process. Until the store is open, using one raises StorageUnavailable (503)."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opened: tuple[Store, RegistryView, Verifier] | None = None
        self._probed_at = float("-inf")

    def store_opened(self, store: Store, view: RegistryView) -> None:
        """From now on use this store and this view. `view` has been loaded."""
        store.follow_policies(view.tenant)
        self._opened = (store, view, Verifier(view))

    def stop_waiting(self) -> None:
        """End the requests that wait for events: the process stops."""
        if self._opened is not None:
            self._opened[0].events.stop_waiting()

    @property
    def store(self) -> Store:
        """The open store. Raises StorageUnavailable."""
        return self._parts()[0]

    @property
    def view(self) -> RegistryView:
        """The loaded view of tenants and keys. Raises StorageUnavailable."""
        return self._parts()[1]

    @property
    def verifier(self) -> Verifier:
        """The verifier of tokens. Raises StorageUnavailable."""
        return self._parts()[2]

    def admits(self, origin: str, caller: Identity | None) -> bool:
        """Whether a page of this origin may read the answer to the caller.

        An answer without a caller (a preflight, a 401) has no data of a tenant: every origin that a tenant
        allows may read it, and every origin at all until the tenants are loaded.
        """
        if self._opened is None:
            return True
        return self._opened[1].admits(origin, None if caller is None else caller.tenant)

    def probe_succeeded(self) -> None:
        """Note that a probe notification has just been stored."""
        self._probed_at = time.monotonic()

    @property
    def ready(self) -> bool:
        """Whether a probe notification was stored within the last five seconds."""
        return self._opened is not None and time.monotonic() - self._probed_at < PROBE_FRESH_SECONDS

    def _parts(self) -> tuple[Store, RegistryView, Verifier]:
        if self._opened is None:
            raise StorageUnavailable("the store has not been opened yet")
        return self._opened
