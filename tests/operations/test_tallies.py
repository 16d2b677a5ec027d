"""Tallies: metrics of hot paths, counted as integers and flushed."""

from prometheus_client import REGISTRY, Counter, Gauge

from tidings_workers import metrics


async def test_a_flush_adds_the_count_once() -> None:
    """A flush adds everything that was counted since the flush before, and nothing twice."""
    counter, gauge = Counter("test_tally", "x"), Gauge("test_tally_open", "x")
    labelled = Counter("test_tallies", "x", ["code"])
    counted, open_now, by_code = metrics.Tally(counter), metrics.Tally(gauge), metrics.Tallies(labelled)
    for _ in range(2):
        counted.inc(20)
        open_now.inc()
        by_code["4000"].inc()
    open_now.dec()
    await metrics.flush()
    await metrics.flush()
    counted.inc()
    await metrics.flush()
    values = [counter._value.get(), gauge._value.get(), labelled.labels("4000")._value.get()]
    assert values == [41, 1, 2]


async def test_times_are_as_if_observed() -> None:
    """A flush leaves the same buckets, sum and count as single observations, also at the bounds."""
    bulk = metrics.BulkHistogram("test_bulk", "x", buckets=(0.1, 1.0))
    single = metrics.BulkHistogram("test_single", "x", buckets=(0.1, 1.0))
    tally = metrics.TimeTally(bulk)
    for seconds in (0.05, 0.1, 0.5, 1.0, 7.0):
        tally.observe(seconds)
        single.observe(seconds)
    await metrics.flush()
    await metrics.flush()

    def values(name: str) -> list[float | None]:
        buckets = [REGISTRY.get_sample_value(f"{name}_bucket", {"le": le}) for le in ("0.1", "1.0", "+Inf")]
        return [*buckets, *(REGISTRY.get_sample_value(f"{name}_{part}") for part in ("sum", "count"))]

    assert values("test_bulk") == values("test_single") != [None] * 5
