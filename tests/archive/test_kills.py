"""A writer that is killed in the middle of its batches."""

import asyncio
import subprocess
import sys

from tests.archive.batches import SIZE, batch
from tests.archive.conftest import opened
from tests.archive.support import JANUARY
from tests.support.tree import ROOT
from tidings_workers.archive import Archive, LogPart, SentQuery

BATCHES = 30


async def stored(archive: Archive) -> tuple[list[int], list[str]]:
    """The positions of the log, and the ids of the notifications."""
    part = LogPart(log="u/acme/ana", positions=[0, 9_999], limit=9_999, newest_first=False)
    (items,) = await archive.read("acme", [part], JANUARY)
    page = await archive.sent(SentQuery(tenant="acme", limit=9_999, newest_first=False))
    return [item.entry.position for item in items], [each.id for each in page.items]


WRITER = """
import asyncio, sys
from tests.archive.batches import batch
from tidings_workers.archive import open_archive

async def run():
    archive = open_archive(sys.argv[1])
    for number in range(int(sys.argv[2])):
        await archive.append(*batch(number))
        print(number, flush=True)

asyncio.run(run())
"""


def killed_writer(url: str) -> int:
    """Kill a writer within a batch. Returns the number of the last batch that it reported."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, url, str(BATCHES)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    acknowledged = -1
    while acknowledged < BATCHES // 2:
        acknowledged = int(process.stdout.readline())
    # The next batch began when this one was reported.
    process.kill()
    process.communicate()
    return acknowledged


async def test_a_killed_writer_leaves_whole_batches(url: str) -> None:
    """After SIGKILL each acknowledged batch is whole, and a repetition adds the rest."""
    archive = opened(url)
    await archive.migrate()
    acknowledged = await asyncio.to_thread(killed_writer, url)
    positions, ids = await stored(archive)
    assert len(positions) % SIZE == 0
    assert len(positions) >= (acknowledged + 1) * SIZE
    assert positions == list(range(1, len(positions) + 1))
    assert len(ids) == len(positions)
    for number in range(BATCHES):
        await archive.append(*batch(number))
    positions, ids = await stored(archive)
    assert positions == list(range(1, BATCHES * SIZE + 1))
    assert ids == [each.id for number in range(BATCHES) for each in batch(number)[1]]
    await archive.close()
