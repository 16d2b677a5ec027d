"""What a listener knows of its inbox as a whole: the counts, and how far it was told of marks. Pure."""

from tidings.protocol.frames import Counts, Welcome


class Standing:
    """The newest counts and two versions of state, kept over many connections.

    *Told* is the last change that came off the wire: a new connection resumes from it. *Handled* is the
    last one that the application is done with: a later process resumes from that. Until a resumed
    connection has caught up, a mark may be answered ahead of what was missed; so nothing is told by then.
    """

    def __init__(self, version: int | None) -> None:
        self.counts: Counts | None = None
        self.handled = version
        self.told = version
        self._missed = False

    def resume(self) -> int | None:
        """The version that a new connection resumes from; None where there is none yet."""
        self._missed = self.told is not None
        return self.told

    def welcomed(self, frame: Welcome, *, anew: bool) -> None:
        """A connection stands; `anew` in another epoch, where old versions mean nothing."""
        if anew:
            self.counts = None
        if anew or self.told is None:
            self.told = self.handled = frame.state_version
            self._missed = False
        self.counted(frame.counts)

    def caught_up(self) -> None:
        """What was missed comes now, before anything else of state."""
        self._missed = False

    def changed(self, version: int) -> None:
        """A change of state came off the wire."""
        if not self._missed:
            self.told = max(self.told or 0, version)

    def took(self, version: int) -> None:
        """The application is done with a change."""
        self.handled = max(self.handled or 0, min(version, self.told or 0))

    def counted(self, counts: Counts) -> None:
        """Counts came off the wire, perhaps older ones than those known."""
        if self.counts is None or counts.version >= self.counts.version:
            self.counts = counts
