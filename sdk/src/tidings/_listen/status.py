"""The newest counts of an inbox, and the versions of its state that arrived and were handled. Pure."""

from tidings.protocol.frames import Counts, Welcome


class InboxStatus:
    """The newest counts and two versions of the state, kept over many connections.

    `received` is the version of the last change that arrived: a new connection resumes from it. `handled` is
    the version of the last change that the application is finished with: a later process resumes from it.
    Until a resumed connection has caught up, the answer to a mark may arrive before changes that were missed,
    so it does not advance `received`.
    """

    def __init__(self, version: int | None) -> None:
        self.counts: Counts | None = None
        self.handled = version
        self.received = version
        self._catching_up = False

    def resume(self) -> int | None:
        """The version that a new connection resumes from; None before the first welcome."""
        self._catching_up = self.received is not None
        return self.received

    def welcomed(self, frame: Welcome, *, new_epoch: bool) -> None:
        """Update after each welcome. `new_epoch`: the store's epoch changed, so stored versions are void."""
        if new_epoch:
            self.counts = None
        if new_epoch or self.received is None:
            self.received = self.handled = frame.state_version
            self._catching_up = False
        self.counts_received(frame.counts)

    def caught_up(self) -> None:
        """The replay is complete. The missed changes of state follow before any other."""
        self._catching_up = False

    def version_received(self, version: int) -> None:
        """A change of the state to this version arrived."""
        if not self._catching_up:
            self.received = max(self.received or 0, version)

    def version_handled(self, version: int) -> None:
        """The application is finished with the change to this version."""
        self.handled = max(self.handled or 0, min(version, self.received or 0))

    def counts_received(self, counts: Counts) -> None:
        """Keep counts that arrived, unless they are older than the current ones."""
        if self.counts is None or counts.version >= self.counts.version:
            self.counts = counts
