"""The positions of many logs as a short text."""

import pytest

from tidings_workers.gateway.sse.packed import Packed, _digest, pack, unpack

CHARACTERS = 6_400


def group(number: int) -> str:
    return f"group:a-team-with-a-long-name-{number}"


@pytest.mark.parametrize(
    ("count", "step"), [(0, 1), (1, 0), (3, 1), (1_000, 1), (1_000, 97), (1_000, 900), (1, 2**53 - 1)]
)
def test_it_is_read_as_it_was_packed(count: int, step: int) -> None:
    """A thousand logs with up to 900,000 notifications each fit, and each name gets its position."""
    positions = {group(number): number * step if count > 1 else step for number in range(count)}
    text, kept = pack(positions, CHARACTERS)
    assert len(text) <= CHARACTERS
    assert kept == positions
    found = unpack(text)
    assert found is not None
    assert found.of(positions) == positions
    assert found.of(["topic:another"]) == {}


def test_logs_that_do_not_fit_are_left_out() -> None:
    """Of too many logs those with the highest positions are kept, and the text is nearly full."""
    positions = {group(number): number for number in range(3_000)}
    text, kept = pack(positions, CHARACTERS)
    assert CHARACTERS * 3 // 4 < len(text) <= CHARACTERS
    assert set(kept.values()) == set(range(3_000 - len(kept), 3_000))
    found = unpack(text)
    assert found is not None
    assert found.of(kept) == kept


def test_two_logs_with_one_digest_lose_nothing() -> None:
    """Two logs of the reader with the digest of one entry: both begin at 0, and others are as they were."""
    # Among so many names some are alike in 24 bits.
    by_digest = {_digest(0, group(number)) >> 16: group(number) for number in range(40_000)}
    name, other = next(
        (each, by_digest[_digest(0, each) >> 16])
        for each in map(group, range(40_000))
        if by_digest[_digest(0, each) >> 16] != each
    )
    found = Packed(0, 24, {_digest(0, name) >> 16: 5, _digest(0, "group:z") >> 16: 7})
    assert found.of([name, "group:z"]) == {name: 5, "group:z": 7}
    assert found.of([name, other, "group:z"]) == {name: 0, other: 0, "group:z": 7}


@pytest.mark.parametrize("text", ["", "A", "AAAA", "AAAAAAAA", "AKJwAABA", "é", "A" * 7_000, "_" * 7_000])
def test_other_texts_are_not_unpacked(text: str) -> None:
    """A text of another form has no positions."""
    assert unpack(text) is None


def test_a_damaged_text_has_valid_positions_or_none() -> None:
    """One wrong character gives another valid text or none, never an error or a number out of range."""
    text, _ = pack({group(number): number * 1_000 for number in range(50)}, CHARACTERS)
    outcomes = [unpack(text[:at] + other + text[at + 1 :]) for at in range(len(text)) for other in "A_9."]
    assert None in outcomes
    assert any(isinstance(outcome, Packed) for outcome in outcomes)
    for outcome in outcomes:
        if outcome is not None:
            assert all(0 <= position < 2**53 for position in outcome.positions.values())
