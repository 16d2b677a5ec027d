"""A backup as docs/operations.md shows it: created, restored and served."""

import stat
import subprocess
import sys
from pathlib import Path

import httpx

from tests.docs.documents import elsewhere
from tests.support.no_tls import NO_TLS
from tests.support.stack import Stack, clean_environment
from tests.support.tree import ROOT


class Home(Stack):
    """A `dev` whose data directory is the default one of its working directory."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.data = home / ".tidings"

    def send(self, title: str) -> None:
        """Send a notification to ana, and return when it is stored."""
        self._ask("POST", "notifications", "send", json={"to": {"users": ["ana"]}, "title": title})

    def titles(self) -> list[str]:
        """The titles in ana's inbox, newest first."""
        page = self._ask("GET", "users/ana/notifications", "read")
        return [item["notification"]["title"] for item in page.json()["items"]]

    def epoch(self) -> str:
        """The epoch that clients get."""
        epoch: str = self._ask("GET", "users/ana/notifications", "read").json()["epoch"]
        return epoch

    def _ask(self, method: str, path: str, scope: str, **more: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token('test', scope)}"}
        more |= {"headers": headers, "trust_env": False, "verify": NO_TLS}
        response = httpx.request(method, f"{self.api}/v1/{path}", **more)  # type: ignore[arg-type]
        response.raise_for_status()
        return response


def test_a_backup_can_be_restored(tmp_path: Path) -> None:
    """After the documented commands the store has the data of the backup and a new epoch."""
    back_up, restore = elsewhere(ROOT / "docs" / "operations.md", "tests/operations/test_backup.py")

    def type_in(lines: str) -> None:
        environment = clean_environment()
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        subprocess.run(
            ["bash", "-euc", lines],
            cwd=tmp_path,
            env=environment,
            timeout=60,
            check=True,
            capture_output=True,
        )

    stack = Home(tmp_path)
    try:
        stack.start()
        key, epoch = stack.key, stack.epoch()
        stack.send("before")
        assert stack.terminate() == 0
        type_in(back_up)
        stack.start()
        stack.send("after")
        assert stack.titles() == ["after", "before"]
        assert stack.terminate() == 0
        type_in(restore)
        stack.start()
        assert stack.key == key
        assert stack.titles() == ["before"]
        assert stack.epoch() != epoch
        assert stat.S_IMODE((tmp_path / "tidings-backup.tar.gz").stat().st_mode) == 0o600
        assert stat.S_IMODE(stack.data.stat().st_mode) == 0o700
    finally:
        stack.end()
