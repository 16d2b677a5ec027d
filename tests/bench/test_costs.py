"""The check of hot paths' costs finds a path that became dearer, and no noise."""

import msgspec

from bench import costs, references

_BEFORE = costs.Recorded("any processor", {"send": 3.0})


def test_cost_is_that_of_the_best_round() -> None:
    """Other work on the machine in one round changes no cost."""
    quiet = {references.BARE_HANDLER: 100e-6, "send": 300e-6}
    busy = {references.BARE_HANDLER: 180e-6, "send": 420e-6}

    assert costs.lowest([quiet]) == {"send": 3.0}
    assert costs.lowest([busy, quiet]) == {"send": 3.0}


def test_path_that_is_dearer_than_the_limit_is_named() -> None:
    """A hot path that takes 15 % more CPU time than recorded fails the check; 14 % more does not."""
    bare = {references.BARE_HANDLER: 100e-6}

    assert costs.over_limit([{**bare, "send": 342e-6}], _BEFORE, 1.15) == []
    assert costs.over_limit([{**bare, "send": 348e-6}], _BEFORE, 1.15) == ["send"]


def test_every_hot_path_has_a_recorded_cost() -> None:
    """Sends, fan-out, connections and resumes are compared, so none of them can become dearer unseen."""
    recorded = msgspec.json.decode(costs.FILE.read_bytes(), type=costs.Recorded)

    assert set(recorded.bare_requests) >= {
        "direct, one per request",
        "direct, batch",
        "fan-out, steady",
        "fan-out, burst",
        "connections opened",
        "everybody resumes",
    }
