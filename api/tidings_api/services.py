"""The parts that routes work with: the store, the view of the registry and the verifier of tokens."""

import time
from typing import Final

from tidings_workers.config import Settings
from tidings_workers.registry import RegistryView
from tidings_workers.store import StorageUnavailable, Store
from tidings_workers.tokens import Identity, Verifier

PROBE_FRESH_SECONDS: Final = 5.0


class Services:
    """The API answers from its first moment; until the store is open, all that needs it is a 503."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opened: tuple[Store, RegistryView, Verifier] | None = None
        self._probed_at = float("-inf")

    def opened(self, store: Store, view: RegistryView) -> None:
        """Puts the parts in place; `view` has been loaded."""
        store.follow_policies(view.tenant)
        self._opened = (store, view, Verifier(view))

    @property
    def store(self) -> Store:
        """The open store, or StorageUnavailable."""
        return self._parts()[0]

    @property
    def view(self) -> RegistryView:
        """The loaded view of tenants and keys, or StorageUnavailable."""
        return self._parts()[1]

    @property
    def verifier(self) -> Verifier:
        """The verifier of tokens, or StorageUnavailable."""
        return self._parts()[2]

    def admits(self, origin: str, caller: Identity | None) -> bool:
        """Whether a page of this origin may read what the caller is answered.

        An answer to nobody (a preflight, a 401) holds nothing of any tenant, so whoever some tenant
        lets in may read it; before the tenants are known that is everybody.
        """
        if self._opened is None:
            return True
        return self._opened[1].admits(origin, None if caller is None else caller.tenant)

    def probed(self) -> None:
        """Notes that a probe has just gone the whole way."""
        self._probed_at = time.monotonic()

    @property
    def ready(self) -> bool:
        """Whether a probe has gone the whole way within the last five seconds."""
        return self._opened is not None and time.monotonic() - self._probed_at < PROBE_FRESH_SECONDS

    def _parts(self) -> tuple[Store, RegistryView, Verifier]:
        if self._opened is None:
            raise StorageUnavailable("the store has not been opened yet")
        return self._opened
