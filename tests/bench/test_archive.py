"""The benchmark of the archive fills it and measures it."""

import pytest

from bench import archive


async def test_a_small_archive_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every figure of the benchmark is printed, of pages that are whole."""
    monkeypatch.setattr(archive, "_CALLS", 2)
    await archive.sqlite(archive.Load(rows=6_600, shared=100, users=50), 1_767_225_600_000)
    printed = capsys.readouterr().out
    for name in ("bytes per notification", "newest page", "page near the end", "export", "append"):
        assert name in printed
