"""The model of large installations: its arithmetic, its simulation, and the page that it makes."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.sim.__main__ import Measured, chosen
from bench.sim.model import Costs, Setup, calls_per_second, feeds_per_second, load, simulate
from tests.support.tree import ROOT

FILE = ROOT / "bench" / "sim" / "costs.json"
COSTS = Costs(20, 50, 10, 80, 30, 1, 700, 60, 6_500, 640)
TICK = 0.005
LIMIT = 0.6


@given(st.floats(1, 1e6), st.integers(1, 4_096), st.integers(1, 500), st.integers(1, 100))
def test_calls_and_feeds_are_bounded(sends: float, partitions: int, gateways: int, apis: int) -> None:
    """Calls and feed entries are no more than the sends, and each call has one entry at least."""
    setup = Setup(1_000, sends, partitions, 1, gateways, apis)
    calls, feeds = calls_per_second(setup, TICK), feeds_per_second(setup, TICK)
    assert 0 < calls <= sends * 1.000001
    assert calls * 0.999999 <= feeds <= sends * 1.000001
    assert calls <= partitions * apis / TICK * 1.000001


@pytest.mark.parametrize(("connections", "sends"), [(10_000, 1_000), (1_000_000, 100_000)])
def test_an_installation_is_large_enough(connections: int, sends: float) -> None:
    """The chosen installation leaves each process its reserve, and has hardly more processes than needed."""
    setup = chosen(connections, sends, COSTS)
    used = load(setup, COSTS, TICK)
    assert max(used.shard, used.gateway, used.api) <= LIMIT
    for kind, share in (("shards", used.shard), ("gateways", used.gateway), ("apis", used.api)):
        count = getattr(setup, kind)
        if count > 4:
            assert share > LIMIT * (count - 3) / count


def test_the_simulation_agrees_with_the_arithmetic() -> None:
    """Without a queue that grows, the simulated processes are as busy as the mean load says."""
    setup = Setup(100_000, 20_000, 16, 4, 4, 4)
    used = load(setup, COSTS, TICK)
    ran = simulate(setup, COSTS, ticks=400, tick_seconds=TICK)
    assert ran.busiest_shard == pytest.approx(used.shard, rel=0.15)
    assert ran.busiest_gateway == pytest.approx(used.gateway, rel=0.15)
    assert ran.p50_ms <= ran.p99_ms


def test_an_overload_shows_as_delay() -> None:
    """With too few shards a queue grows, and the delay with it."""
    enough = simulate(Setup(1_000, 20_000, 16, 8, 8, 4), COSTS, ticks=200, tick_seconds=TICK)
    too_few = simulate(Setup(1_000, 20_000, 16, 1, 8, 4), COSTS, ticks=200, tick_seconds=TICK)
    assert too_few.busiest_shard == pytest.approx(1.0)
    assert too_few.p99_ms > 20 * enough.p99_ms


def test_the_model_predicts_more_gateways() -> None:
    """The costs of one gateway predict the measured costs with two and three within a third."""
    found = msgspec.json.decode(Path(FILE).read_bytes(), type=Measured)
    assert {each.gateways for each in found.checked} == {1, 2, 3}
    for each in found.checked:
        assert each.valkey_by_model == pytest.approx(each.valkey, rel=1 / 3)
        assert each.gateway_by_model == pytest.approx(each.gateway, rel=1 / 3)
