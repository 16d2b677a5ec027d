"""Batches that are the same in every process. A program of a test that imports nothing else starts fast."""

from tidings_workers.archive import ArchivedEntry, ArchivedNotification

SIZE = 40
_START = 1_767_225_600_000
_STEP = 60_000_000


def batch(number: int) -> tuple[list[ArchivedEntry], list[ArchivedNotification]]:
    """Forty entries of the log of `ana`, over a month, with their notifications."""
    entries, notifications = [], []
    for index in range(number * SIZE, (number + 1) * SIZE):
        at = _START + index * _STEP
        digits = f"{at:012x}"
        id_ = f"{digits[:8]}-{digits[8:]}-7000-8000-{index:012x}"
        entries.append(ArchivedEntry(tenant="acme", log="u/acme/ana", position=index + 1, at=at, id=id_))
        notifications.append(
            ArchivedNotification(tenant="acme", id=id_, at=at, content=b"{}", target=b'{"users":["ana"]}')
        )
    return entries, notifications
