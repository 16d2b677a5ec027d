"""A running installation for each test that will break it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import Stack, running_stack


@pytest.fixture
def stack(short_directory: Path) -> Iterator[Stack]:
    """A `dev` of this test's own, ready; nothing of it is left afterwards."""
    with running_stack(Path(tempfile.mkdtemp(dir=short_directory))) as stack:
        yield stack
