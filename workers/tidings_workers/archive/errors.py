"""Errors of the archive.

```
ArchiveError
 +-- ArchiveUnavailable      repeat the call later
 |    +-- NoArchiveYet       nothing was archived so far
 +-- ClaimLost               another archiver has claimed the partition
 +-- ArchiveMisconfigured    an operator has to change something
```

The text of each names the fault, a colon, and the cure. It never has a password.
"""


class ArchiveError(Exception):
    """A call to the archive failed. Every operation may be repeated."""


class ArchiveUnavailable(ArchiveError):
    """The database does not answer in time, refuses connections, is locked, or has no space."""


class NoArchiveYet(ArchiveUnavailable):
    """The database has no tables of the archive: no archiver has made them."""


class ClaimLost(ArchiveError):
    """A later claim on the partition exists. Nothing was written."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"another process has claimed partition {partition}: claim it again")


class ArchiveMisconfigured(ArchiveError):
    """The URL, the rights, the version or the file of the archive is wrong. Waiting does not help."""
