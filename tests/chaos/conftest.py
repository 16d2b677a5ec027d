"""A running installation for each test, which will kill parts of it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import Stack, running_stack


@pytest.fixture
def stack(short_directory: Path) -> Iterator[Stack]:
    """A `dev` for this test alone, ready; no process and no file of it remains."""
    with running_stack(Path(tempfile.mkdtemp(dir=short_directory))) as stack:
        yield stack
