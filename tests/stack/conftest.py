"""One running installation for the tests of a module; each test uses users of its own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import Stack, running_stack


@pytest.fixture(scope="module")
def stack(short_directory: Path) -> Iterator[Stack]:
    """A `dev` that is ready, shared by a module's tests, which leave it running."""
    with running_stack(Path(tempfile.mkdtemp(dir=short_directory))) as stack:
        yield stack
