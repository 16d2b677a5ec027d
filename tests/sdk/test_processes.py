"""One client in several processes, made before `fork`: Celery, gunicorn --preload, multiprocessing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.answering import answering
from tests.sdk.forking import CHILDREN
from tests.support.certificates import Authority


def fork(kind: str, url: str, **environment: str) -> Any:
    """The output of the forking program, which must give no warning."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.sdk.forking", kind, url],
        capture_output=True,
        text=True,
        check=True,
        timeout=90,
        env=os.environ | environment,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_each_process_gets_its_own_answers(kind: str) -> None:
    """Children and parent that send at the same time with one client get the ids of their own sends."""
    with answering() as url:
        others = fork(kind, url)
    names = ["before", "parent", *(f"child-{number}" for number in range(CHILDREN))]
    assert others == {name: [] for name in names}


@pytest.mark.parametrize("secure", [False, True])
def test_a_child_leaves_the_parents_connection_open(tmp_path: Path, secure: bool) -> None:
    """A child that sends, closes the client and exits keeps the connection of its parent open."""
    authority = Authority(tmp_path)
    with answering(authority.server if secure else None) as url:
        before, after = fork("connections", url, SSL_CERT_FILE=str(authority.ca))
    assert before == after
