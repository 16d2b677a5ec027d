"""The data directory: one process uses it at a time, and it knows how the store last stopped."""

import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest

from tidings_workers import data_directory
from tidings_workers.config import Settings
from tidings_workers.data_directory import DataDirectory, DataDirectoryInUse
from tidings_workers.data_state import (
    SOCKET_PATH_BYTES,
    Addresses,
    DataDirectoryUnusable,
    has_store,
    read_state,
)
from tidings_workers.embedded import EmbeddedValkey
from tidings_workers.store import Store


def stop_unclean(path: Path, durability: str = "everysec") -> None:
    """Run a store that is not stopped cleanly."""
    directory = DataDirectory.acquire(path)
    directory.begin(durability)
    directory.release()


def test_a_second_process_is_refused_with_the_first_ones_id(tmp_path: Path) -> None:
    """The error names the process that uses the directory, and the cure."""
    first = DataDirectory.acquire(tmp_path)
    with pytest.raises(DataDirectoryInUse, match=rf"process {os.getpid()} .*kill {os.getpid()}.*--data"):
        DataDirectory.acquire(tmp_path)
    first.release()
    DataDirectory.acquire(tmp_path).release()


def test_the_directory_is_private(tmp_path: Path) -> None:
    """Only the owner can read the created files."""
    directory = DataDirectory.acquire(tmp_path / "new" / "data")
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    directory.release()


def loose(path: Path) -> list[str]:
    """The files of a directory that other users may use."""
    return [str(each) for each in (path, *path.rglob("*")) if each.lstat().st_mode & 0o077]


async def test_an_open_directory_becomes_private(tmp_path: Path) -> None:
    """A directory that others could read, and its older files, become readable by their owner only."""
    path = tmp_path / "data"
    (path / "appendonlydir").mkdir(parents=True)
    for name in ("valkey.log", "state.json.old", "appendonlydir/appendonly.aof.1.incr.aof"):
        (path / name).write_text("")
    path.chmod(0o755)
    (path / "state.json.old").unlink()
    before = os.umask(0o022)
    try:
        directory = DataDirectory.acquire(path)
        valkey = EmbeddedValkey(directory, "everysec")
        await valkey.start()
        try:
            store = await Store.open(Settings(redis_url=valkey.url), name="test")
            await store.close()
            assert loose(path) == []
        finally:
            await valkey.stop()
            directory.release()
        assert loose(path) == []
    finally:
        os.umask(before)


def test_a_directory_of_another_program_is_not_changed(tmp_path: Path) -> None:
    """A mistyped --data, such as /tmp or a home, gets neither a store nor another mode."""
    path = tmp_path / "home"
    path.mkdir()
    (path / "letters.txt").write_text("Dear Ana")
    path.chmod(0o755)
    with pytest.raises(DataDirectoryUnusable, match=r"letters\.txt.* an empty directory.*--data"):
        DataDirectory.acquire(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert [file.name for file in path.iterdir()] == ["letters.txt"]


def test_an_empty_directory_may_have_harmless_files(tmp_path: Path) -> None:
    """An empty directory may have the files that file systems and repositories put there."""
    (tmp_path / "lost+found").mkdir()
    (tmp_path / ".gitkeep").write_text("")
    DataDirectory.acquire(tmp_path).release()
    DataDirectory.acquire(tmp_path).release()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_directory_of_another_user_that_is_open_is_refused() -> None:
    """An open directory that can't be closed is refused, and the error names a cure."""
    with tempfile.TemporaryDirectory() as home:
        path = Path(home)
        path.chmod(0o777)
        os.seteuid(65_534)
        try:
            with pytest.raises(
                DataDirectoryUnusable, match=r"readable by other users .* one inside it, with --data"
            ):
                DataDirectory.acquire(path)
            DataDirectory.acquire(path / "own").release()
        finally:
            os.seteuid(0)


@pytest.mark.parametrize(
    "name", ["a#b", "a%20b", "a?b=c", "a b", "ü", "x" * 150, os.fsdecode(b"a\xffb"), "a'\"b"]
)
async def test_a_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    """A store starts in a directory of any name, and its URL also works through the environment."""
    directory = DataDirectory.acquire(tmp_path / name)
    valkey = EmbeddedValkey(directory, "everysec")
    try:
        await valkey.start()
        written = Settings(redis_url=valkey.url).to_environment()
        store = await Store.open(Settings.from_environment(written), name="test")
        await store.close()
    finally:
        await valkey.stop()
        directory.release()


def test_a_file_in_its_place_is_explained(tmp_path: Path) -> None:
    """A path that can't be a directory gives an error with a cure and no traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirectoryUnusable, match="--data or TIDINGS_DATA"):
        DataDirectory.acquire(tmp_path / "file")


def test_a_directory_without_permission_is_explained(tmp_path: Path) -> None:
    """A directory that can't be entered gives an error with a cure, for checking, reading and acquiring."""
    shut = tmp_path / "shut"
    (shut / "data").mkdir(parents=True)
    shut.chmod(0)
    try:
        said = as_another_user(shut / "data")
    finally:
        shut.chmod(0o700)
    assert len(said) == 3
    for line in said:
        assert line.endswith("(Permission denied): choose another with --data or TIDINGS_DATA")


def as_another_user(path: Path) -> list[str]:
    """The errors of the three functions for a process that is not root."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(65_534)
            for way in (has_store, read_state, DataDirectory.acquire):
                try:
                    way(path)
                except DataDirectoryUnusable as error:
                    os.write(write, f"{error}\n".encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as lines:
        said = lines.read().splitlines()
    os.waitpid(child, 0)
    return said


def test_the_addresses_of_the_last_dev_are_kept(tmp_path: Path) -> None:
    """The addresses of the parts are known after the stop, and at a later start before its `begin`."""
    addresses = Addresses(
        host="127.0.0.1", port=1, realtime_host="::1", realtime_port=2, operator_host="::1", operator_port=3
    )
    directory = DataDirectory.acquire(tmp_path)
    directory.begin("everysec")
    directory.write_addresses(addresses)
    directory.stopped_cleanly()
    directory.release()
    stop_unclean(tmp_path)
    state = read_state(tmp_path)
    assert state is not None
    assert state.addresses == addresses


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """A start on a full disk names that disk."""
    directory = DataDirectory.acquire(tmp_path)
    (tmp_path / "state.json.new").symlink_to("/dev/full")
    with pytest.raises(DataDirectoryUnusable, match=rf"disk of the data directory {tmp_path} is full"):
        directory.begin("everysec")
    directory.release()


def test_a_clean_stop_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a clean stop another boot does not make the data suspect."""
    directory = DataDirectory.acquire(tmp_path)
    directory.begin("everysec")
    directory.stopped_cleanly()
    directory.release()
    monkeypatch.setattr(data_directory, "boot_id", lambda: "another")
    directory = DataDirectory.acquire(tmp_path)
    assert not directory.begin("everysec").suspect
    directory.release()


def test_a_crash_of_the_process_loses_nothing(tmp_path: Path) -> None:
    """A crash in the same boot does not make the data suspect, because the kernel has the writes."""
    stop_unclean(tmp_path)
    directory = DataDirectory.acquire(tmp_path)
    assert not directory.begin("everysec").suspect
    directory.release()


@pytest.mark.parametrize(("durability", "suspect"), [("memory", True), ("everysec", True), ("always", False)])
def test_a_power_failure_may_lose_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str, *, suspect: bool
) -> None:
    """Without a clean stop another boot makes the data suspect, unless every write was synced."""
    stop_unclean(tmp_path, durability)
    monkeypatch.setattr(data_directory, "boot_id", lambda: "another")
    directory = DataDirectory.acquire(tmp_path)
    assert directory.begin(durability).suspect is suspect
    directory.release()


def test_data_stay_suspect_until_a_loss_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash before the loss is reported does not clear the suspicion."""
    stop_unclean(tmp_path)
    monkeypatch.setattr(data_directory, "boot_id", lambda: "another")
    stop_unclean(tmp_path)
    directory = DataDirectory.acquire(tmp_path)
    assert directory.begin("everysec").suspect
    directory.loss_reported()
    directory.release()
    directory = DataDirectory.acquire(tmp_path)
    assert not directory.begin("everysec").suspect
    directory.release()


def test_a_long_path_gets_a_socket_elsewhere(tmp_path: Path) -> None:
    """A socket for a long path fits the kernel's limit, is private, is found again, and is removed."""
    long = tmp_path / ("x" * 120)
    directory = DataDirectory.acquire(long)
    socket = Path(directory.begin("everysec").socket)
    assert len(os.fsencode(socket)) <= SOCKET_PATH_BYTES
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    directory.release()
    directory = DataDirectory.acquire(long)
    assert Path(directory.begin("everysec").socket) == socket
    directory.discard_socket()
    assert not socket.parent.exists()
    directory.release()


def test_a_copied_directory_has_a_socket_of_its_own(tmp_path: Path) -> None:
    """A copy of a data directory never connects to the original's server."""
    stop_unclean(tmp_path / "one")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "state.json").write_bytes((tmp_path / "one" / "state.json").read_bytes())
    stop_unclean(tmp_path / "two")
    first, second = read_state(tmp_path / "one"), read_state(tmp_path / "two")
    assert first is not None
    assert second is not None
    assert first.socket != second.socket


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_lock_does_not_leak_into_other_programs(tmp_path: Path) -> None:
    """Only Valkey inherits the lock; any other child closes it on exec."""
    directory = DataDirectory.acquire(tmp_path)
    assert not os.get_inheritable(directory.lock)
    directory.release()
