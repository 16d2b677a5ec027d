"""The cursor of a stream of events as text."""

from collections.abc import Collection

import pytest

from tidings_workers.gateway.sse import cursor
from tidings_workers.gateway.sse.cursor import NAMED_BYTES, PACKED_BYTES, Progress, field_of, owner_of


def test_a_cursor_is_read_as_it_was_written() -> None:
    """A cursor has every log with its position, also names with the characters of its own form."""
    positions = {"user": 0, "all": 2**53 - 1, "group:a=1|~@:+": 7, "topic:a/b=2": 9}
    progress = Progress(owner_of("demo", "ana"), "f00d", 5)
    progress.place(positions)
    line = progress.line().decode()
    found = cursor.read(line.removeprefix("id: ").removesuffix("\n"))
    assert found is not None
    assert (found.owner, found.epoch, found.state_version) == (owner_of("demo", "ana"), "f00d", 5)
    assert found.positions == positions


def parsed(progress: Progress) -> cursor.Cursor:
    line = progress.line().decode()
    assert len(line) <= NAMED_BYTES + PACKED_BYTES + 100
    found = cursor.read(line.removeprefix("id: ").removesuffix("\n"))
    assert found is not None
    return found


def positions_of(found: cursor.Cursor, names: Collection[str]) -> dict[str, int]:
    return (found.packed.of(names) if found.packed is not None else {}) | found.positions


def test_a_cursor_of_a_thousand_groups() -> None:
    """The cursor of a user in a thousand groups has every position, and those of groups that moved since."""
    positions = {f"group:{'x' * 120}-{number}": number * 7 for number in range(1000)} | {"user": 3, "all": 9}
    progress = Progress("0" * 8, "f00d", 0)
    progress.place(positions)
    assert positions_of(parsed(progress), positions) == positions
    for number in range(0, 1000, 3):
        log = f"group:{'x' * 120}-{number}"
        positions[log] += 1
        progress.advance(log, field_of(log, b"%d" % positions[log]))
        if number % 100 == 0:
            assert positions_of(parsed(progress), positions) == positions
    progress.place(positions)
    assert positions_of(parsed(progress), positions) == positions
    assert all(map(progress.has, positions))


def test_the_size_of_a_cursor_is_limited() -> None:
    """Of very many logs, those with the lowest positions are left out, and return with their next event."""
    progress = Progress("0" * 8, "f00d", 0)
    progress.place({f"group:{number}": number for number in range(3000)})
    parsed(progress)
    assert progress.has("group:2999")
    assert not progress.has("group:0")
    progress.place({"group:0": 5000})
    assert positions_of(parsed(progress), ["group:0"])["group:0"] == 5000
    for number in range(3000):
        progress.forget(f"group:{number}")
    assert positions_of(parsed(progress), [f"group:{number}" for number in range(3000)]) == {}


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "2,00000000,ab,1,u=1", "1,0000000g,ab,1,u=1", "1,00000000,ab,1,x=1", "1,00000000,ab,1,u"),
        *("1,00000000,ab,1,u=-1", "1,00000000,ab,1,u=9007199254740992", "1,00000000,ab,1,g=..=1"),
        *("1,00000000,ab,1,p=", "1,00000000,ab,1,p=AAAA,u=1", "1,00000000,ab,1,u=1,p=AKJwAAAA"),
        *("1,00000000,ab,1,t=a//b=1", "1,00000000,ab,1,u=1\n", "1,00000000,ab,1,u=\u0661", "{", "{}", "[1]"),
    ],
)
def test_other_texts_are_no_cursors(text: str) -> None:
    """A text of another form is no cursor."""
    assert cursor.read(text) is None
