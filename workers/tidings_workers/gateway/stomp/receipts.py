"""The receipts of one STOMP client that wait for an answer of the gateway."""

from tidings.protocol.frames import Ref
from tidings_workers.gateway.stomp.frames import Frame


class _Receipt:
    """A receipt, and the number of answers that it waits for."""

    __slots__ = ("answers", "name")

    def __init__(self, name: str, answers: int) -> None:
        self.name = name
        self.answers = answers


class Receipts:
    """Numbers the requests to the session of `tidings.v1`, and keeps the receipts that each answer gives.

    `last` is the `ref` of the last request.
    """

    __slots__ = ("_expected", "last")

    def __init__(self) -> None:
        self.last = 0
        self._expected: dict[int, list[_Receipt]] = {}

    def expect(self, frame: Frame) -> int:
        """The `ref` of a request; its answer gives the receipt of the frame."""
        self.last += 1
        receipt = frame.headers.get("receipt")
        self._expected[self.last] = [] if receipt is None else [_Receipt(receipt, 1)]
        return self.last

    def add(self, receipt: str, after: int) -> None:
        """The last answer to a request after this one gives the receipt, too."""
        together = _Receipt(receipt, self.last - after)
        for ref in range(after + 1, self.last + 1):
            self._expected[ref].append(together)

    def answered(self, ref: Ref | None) -> list[str]:
        """The receipts that waited for the answer with this `ref`, and for no other."""
        found = self._expected.pop(ref, []) if isinstance(ref, int) else []
        for each in found:
            each.answers -= 1
        return [each.name for each in found if not each.answers]

    def failed(self, ref: Ref | None) -> str | None:
        """A receipt that waits for the request that is refused."""
        found = self._expected.get(ref, []) if isinstance(ref, int) else []
        return found[0].name if found else None
