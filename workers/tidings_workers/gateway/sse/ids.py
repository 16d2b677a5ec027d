"""The ids of a stream's events: which events have one, and which position it names. Pure."""

from tidings.protocol.frames import CaughtUp, Joined, ServerFrame, Stated, Subscribed, Unsubscribed, Welcome
from tidings.protocol.names import log_of_topic
from tidings_workers.gateway.sse.cursor import Cursor, Progress, topics
from tidings_workers.gateway.sse.wire import EVENTS, GAP, Run


class Ids:
    """The ids of one stream. They name only what the stream was sent before the end of their event.

    Neither a gap nor a welcome before gaps has an id: a client that loses the connection there gets the gap
    again.
    """

    __slots__ = ("_progress", "_resumed")

    def __init__(self) -> None:
        self._progress = Progress("", "", 0)
        # The topics of the client's cursor whose subscription was not confirmed yet.
        self._resumed: frozenset[str] = frozenset()

    def start(self, owner: str, frame: Welcome, known: Cursor | None, resumed: frozenset[str]) -> None:
        """Begin at a welcome, for a client with this cursor. `resumed`: its topics that continue."""
        self._resumed = resumed
        if known is None or known.epoch != frame.epoch:
            self._progress = Progress(owner, frame.epoch, frame.state_version)
            self._progress.place(frame.positions)
            return
        # Marks that the client missed follow, each with its version.
        version = frame.state_version if known.state_version is None else known.state_version
        self._progress = Progress(owner, frame.epoch, version)
        self._progress.place(frame.positions)
        own = set(map(log_of_topic, resumed))
        self._progress.place({log: at for log, at in known.positions.items() if log in own})
        if known.packed is not None:
            self._progress.place(known.packed.of(own - known.positions.keys()))

    def with_ids(self, data: bytes) -> bytes:
        """Encoded notifications, each with its id."""
        runs = EVENTS.runs(data)
        return self._with_id(runs[0]) if len(runs) == 1 else b"".join(map(self._with_id, runs))

    def _with_id(self, run: Run) -> bytes:
        if run.log is None:
            return run.data
        progress = self._progress
        start = progress.before(run.log)
        progress.advance(run.log, run.field)
        return run.data.replace(GAP, start)

    def line(self, frame: ServerFrame) -> bytes:
        """The line with the id of another frame's event; empty when it has none."""
        return self._progress.line() if self._follow(frame) else b""

    def _follow(self, frame: ServerFrame) -> bool:
        progress = self._progress
        match frame:
            case Welcome():
                return frame.resume != "gap"
            case CaughtUp():
                progress.place(frame.positions)
            case Joined():
                # After an earlier membership the rest of that may be still to be sent.
                if not progress.has(frame.log):
                    progress.place({frame.log: frame.position})
            case Stated():
                progress.restate(frame.state_version)
            case Subscribed():
                progress.place({frame.log: frame.position})
                return self._is_new(frame.topic)
            case Unsubscribed():
                progress.forget(log_of_topic(frame.topic))
            case _:
                return False
        return True

    def _is_new(self, topic: str) -> bool:
        """Whether the cursor had no position in a topic: a gap may follow one that it had."""
        if topic not in self._resumed:
            return True
        self._resumed -= {topic}
        return False


def continued(known: Cursor, wanted: tuple[str, ...]) -> tuple[dict[str, int], frozenset[str]]:
    """The positions of a cursor without topics that the client no longer wants, and the topics among them."""
    unwanted = {log_of_topic(topic) for topic in topics(known.positions) - set(wanted)}
    packed = known.packed.of(map(log_of_topic, wanted)) if known.packed is not None else {}
    positions = packed | {log: at for log, at in known.positions.items() if log not in unwanted}
    return positions, frozenset(topics(positions))
