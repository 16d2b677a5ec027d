"""A real PostgreSQL for tests, which a test may pause, stop, kill and start again."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.ports import free_port
from tests.support.valkey import wait_until

_USER = "postgres"
_DEBIAN = Path("/usr/lib/postgresql")
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "64MB",
    "max_connections": "40",
    "log_min_messages": "fatal",
}


def memory() -> Path | None:
    """A directory of a file system in memory; None without one."""
    place = Path("/dev/shm")  # noqa: S108 - files below it have random names
    return place if place.is_dir() else None


def why_no_postgresql() -> str:
    """The reason why there can't be one here, or ''."""
    if _programs() is None or shutil.which("psql") is None:
        return "no PostgreSQL: `postgres`, `initdb` or `psql` is not installed"
    if os.geteuid() == 0 and (shutil.which("setpriv") is None or not _has_user()):
        return f"no PostgreSQL: it does not run as root, and setpriv or the user {_USER} is missing"
    return ""


def _programs() -> Path | None:
    """The directory of the programs; the newest one of Debian's."""
    places = sorted(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    found = shutil.which("postgres")
    if found is not None:
        places.append(Path(found).parent)
    return next((place for place in places if (place / "initdb").exists()), None)


def _has_user() -> bool:
    try:
        pwd.getpwnam(_USER)
    except KeyError:
        return False
    return True


class Postgresql:
    """One server and its data directory. `url(name)` is that of a database of the user `postgres`."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.port = free_port()
        self._settings = _SETTINGS | settings
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str, user: str = "postgres", password: str = "") -> str:
        """The URL of a database. Without a password: on loopback everybody is trusted."""
        credentials = f"{user}:{password}" if password else user
        return f"postgresql://{credentials}@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        """Make the data directory."""
        programs = _programs()
        assert programs is not None
        options = ("-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-U", _USER)
        subprocess.run(
            self._command(programs / "initdb", "-D", self.home / "data", *options),
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        """Start, and return when it answers."""
        programs = _programs()
        assert programs is not None
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        command = self._command(
            programs / "postgres",
            *("-D", self.home / "data", "-p", self.port, f"-cunix_socket_directories={self.home}"),
            *settings,
        )
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.home)
        wait_until(self._is_ready, f"the start of {self.home / 'log'}", 60)

    def stop(self) -> None:
        """End it at once, with its clients' connections; the data stays."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)
        self._process = None

    def pause(self) -> None:
        """SIGSTOP to the server and its children: connections are open, and nothing answers."""
        for pid in self._pids():
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT after `pause`."""
        for pid in self._pids():
            os.kill(pid, signal.SIGCONT)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """The output of psql for a statement."""
        command = ("psql", "-XAtqc", statement, self.url(database))
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def _command(self, *parts: object) -> list[str]:
        # The server ends with the tests, also when these are killed.
        as_user = (f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups") if os.geteuid() == 0 else ()
        bound = ("setpriv", *as_user, "--pdeathsig=KILL") if shutil.which("setpriv") else ()
        return [*bound, *map(str, parts)]

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.home / "log").read_text()
        command = ("psql", "-XAtqc", "select 1", self.url("postgres"))
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def _pids(self) -> list[int]:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [self._process.pid, *map(int, children.split())]


@contextlib.contextmanager
def running_postgresql(*, in_memory: bool = True, **settings: str) -> Iterator[Postgresql]:
    """A started server in a directory of its own, in memory where that is possible."""
    home = Path(tempfile.mkdtemp(prefix="tidings-pg-", dir=memory() if in_memory else None))
    if os.geteuid() == 0:
        shutil.chown(home, _USER, _USER)
    server = Postgresql(home, **settings)
    try:
        server.create()
        server.start()
        yield server
    finally:
        if server._process is not None:
            server._process.kill()
            server._process.wait(30)
        shutil.rmtree(home, ignore_errors=True)
