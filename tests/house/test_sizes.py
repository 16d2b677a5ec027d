"""Files are short enough to read as a whole."""

from pathlib import Path

from tests.support.tree import ROOT, tracked

LIMIT = 300
FOLDERS = ("api/", "workers/", "sdk/")
SUFFIXES = (".py", ".lua", ".ts")
TESTS = "sdk/browser/test/"
# The first line of a longer file says why: it is generated, or a reason.
REASONS = ("Generated from", "Over 300 lines: ")


def too_long(path: Path) -> bool:
    """Whether a file has more lines than the limit, and no reason for it."""
    lines = path.read_text().splitlines()
    return len(lines) > LIMIT and not any(reason in lines[0] for reason in REASONS)


def test_no_source_is_longer_than_the_limit() -> None:
    """A source of the server or of an SDK has at most 300 lines, unless its first line has a reason."""
    sources = [
        name
        for name in tracked()
        if name.startswith(FOLDERS) and name.endswith(SUFFIXES) and not name.startswith(TESTS)
    ]
    assert len(sources) > 300
    assert [name for name in sources if too_long(ROOT / name)] == []


def test_a_long_file_is_found(tmp_path: Path) -> None:
    """The check finds a file with one line too many, and allows a long one that is generated."""
    path = tmp_path / "long.py"
    path.write_text("x = 1\n" * LIMIT)
    assert not too_long(path)
    path.write_text("x = 1\n" * (LIMIT + 1))
    assert too_long(path)
    path.write_text("# Generated from the code.\n" + "x = 1\n" * LIMIT)
    assert not too_long(path)
