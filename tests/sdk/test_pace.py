"""The rate at which a connection sends frames."""

from hypothesis import given
from hypothesis import strategies as st

from tidings._listen.pace import BURST, Pace
from tidings.protocol import limits


@given(st.lists(st.floats(0, 0.2), max_size=600))
def test_no_schedule_of_an_application_exceeds_what_the_server_allows(pauses: list[float]) -> None:
    """Frames that are sent at their reserved times never exceed the server's limit."""
    pace, now, whole_at = Pace(), 1000.0, 1000.0
    for pause in pauses:
        now += pause
        now += pace.wait(now)
        start = max(whole_at, now)
        assert start - now <= (limits.FRAMES_BURST - 1) / limits.FRAMES_PER_SECOND
        whole_at = start + 1 / limits.FRAMES_PER_SECOND


def test_frames_made_at_once_are_spread() -> None:
    """Tasks that send at the same time get different slots after the burst."""
    pace = Pace()
    waits = [pace.wait(0.0) for _ in range(BURST + 90)]
    assert waits[:BURST] == [0.0] * BURST
    assert waits[BURST:] == sorted(set(waits[BURST:]))
    assert 0.99 < waits[-1] < 1.01
