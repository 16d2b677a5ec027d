"""Months, names of logs, ids and rules of retention, without a database."""

import pytest

from tests.archive.support import DAY, JANUARY
from tidings_workers.archive import ArchiveRules, encoding, ids, months, retiring
from tidings_workers.archive.months import Month
from tidings_workers.store.ids import milliseconds_of_id, new_id


def test_months_are_those_of_utc() -> None:
    """A month begins with its first millisecond and ends with the first one of the next, over years too."""
    december = Month(2025, 12)
    assert (december.end, december.next) == (JANUARY, Month(2026, 1))
    assert (Month.of(JANUARY), Month.of(JANUARY - 1)) == (Month(2026, 1), december)
    assert [Month.named(each.suffix) for each in (december, Month(2026, 1))] == [december, Month(2026, 1)]


def test_the_needed_months_are_those_of_the_rows_and_three_from_now_on() -> None:
    """Rows of any time have their month, once each and in order."""
    times = [JANUARY - 1, JANUARY - DAY, JANUARY - 400 * DAY]
    expected = ["2024_11", "2025_12", "2026_11", "2026_12", "2027_01"]
    assert [each.suffix for each in months.needed(times, JANUARY + 310 * DAY)] == expected


@pytest.mark.parametrize(
    ("base", "short"),
    [("u/acme/ana", "u/ana"), ("a/acme", "a"), ("g/acme/x", "g/x"), ("t/acme/a%2Fb", "t/a%2Fb")],
)
def test_the_short_name_of_a_log(base: str, short: str) -> None:
    """The short name has no tenant, and leads back to the base."""
    assert encoding.short_log("acme", base) == short
    assert encoding.log_of("acme", short) == base


def test_ids_keep_their_order_as_bytes() -> None:
    """Bytes and texts of ids have the same order, that of time, and the first id of a time is the lowest."""
    made = [new_id(JANUARY + number // 3, number) for number in range(30)]
    stored = list(map(ids.AS_BYTES.stored, made))
    assert list(map(ids.AS_BYTES.read, sorted(stored))) == sorted(made)
    for each in made:
        at = milliseconds_of_id(each)
        assert ids.milliseconds_of_id(each) == at
        assert ids.first_id(at) <= each < ids.first_id(at + 1)
    assert ids.first_id(2**53) < ids.LAST_ID


def test_the_longest_name_decides() -> None:
    """A rule for `a.b` precedes one for `a.`, whatever their order, and matches `a.b` alone."""
    rules = retiring.ordered(ArchiveRules(9, (("a.", 5), ("a.b", None), ("ab", 1))))
    assert [retiring.kept(rules, each) for each in ("a.b", "a.bc", "a", "ab", "")] == [None, 5, 9, 1, 9]
    assert (retiring.newest_due(rules, 100), retiring.oldest_kept(rules, 100)) == (99, None)
    assert retiring.newest_due(ArchiveRules(None), 100) is None
    assert retiring.oldest_kept(ArchiveRules(9, (("a", 20),)), 100) == 80
