"""One running installation for the tests of a module; each test has users of its own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import Stack, running_stack


@pytest.fixture(scope="module")
def stack(short_directory: Path) -> Iterator[Stack]:
    """A ready `dev` for all tests of a module; they leave it running."""
    with running_stack(Path(tempfile.mkdtemp(dir=short_directory))) as stack:
        yield stack
