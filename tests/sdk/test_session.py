"""The client's state machine, without a socket: frames in, frames and events out."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings import CaughtUp, Changed, Connected, FrameRefusedError, Gap, InvalidArgumentError, Resume
from tidings._listen.errors import MalformedFrameError
from tidings._listen.outputs import Answered, RefreshWanted
from tidings._listen.session import Session
from tidings.protocol import limits
from tidings.protocol.frames import Delivered, ErrorFrame, Mark

COUNTS = {"unseen": 0, "unread": 0, "version": 1}


def frame(type: str, **fields: Any) -> str:
    return json.dumps({"type": type, **fields})


def welcome(positions: dict[str, int], epoch: str = "e1", resume: str = "none") -> str:
    return frame(
        "welcome",
        connection="c",
        user="ana",
        epoch=epoch,
        positions=positions,
        counts=COUNTS,
        heartbeat=25,
        expires_at="2030-01-01T00:00:00Z",
        resume=resume,
    )


def delivered(position: int, log: str = "user") -> str:
    content = {"id": f"{log}/{position}", "priority": "normal", "created_at": "2026-11-22T07:00:00Z"}
    return frame("notification", log=log, position=position, notification=content)


def shown(session: Session, *messages: str) -> list[tuple[str, int]]:
    return [
        (output.log, output.position)
        for message in messages
        for output in session.receive(message)
        if isinstance(output, Delivered)
    ]


def started(**options: Any) -> Session:
    session = Session(**options)
    session.connect()
    session.receive(welcome({"user": 0}))
    return session


def positions(text: str) -> dict[str, int]:
    found: dict[str, int] = json.loads(text)["resume"]["positions"]
    return found


def test_the_first_connect_names_device_and_rewind_but_no_resume() -> None:
    """The first connect frame has the device and the rewind, and no `resume`."""
    session = Session(device="laptop", rewind=5, client="test/1")
    assert json.loads(session.connect()) == {
        "type": "connect",
        "device": "laptop",
        "rewind": 5,
        "client": "test/1",
    }


def test_a_later_connect_resumes_and_no_longer_rewinds() -> None:
    """After the first welcome every connection resumes from the received positions."""
    session = Session(rewind=5)
    session.connect()
    shown(session, welcome({"user": 2, "all": 0}), delivered(3), delivered(4))
    again = json.loads(session.connect())
    assert again["resume"] == {"epoch": "e1", "positions": {"user": 4, "all": 0}, "state_version": 0}
    assert "rewind" not in again


@pytest.mark.parametrize(
    "options",
    [
        {"device": "a b"},
        {"device": ".."},
        {"device": "x" * 65},
        {"rewind": 201},
        {"rewind": -1},
        {"rewind": 1, "resume": Resume("e1", {})},
    ],
)
def test_invalid_arguments_are_refused_before_connecting(options: dict[str, Any]) -> None:
    """An invalid device, rewind or combination raises before a connection is opened."""
    with pytest.raises(InvalidArgumentError):
        Session(**options)


@given(st.lists(st.tuples(st.sampled_from(["user", "all", "group:g"]), st.integers(1, 30))))
def test_each_position_is_given_once_and_rising(arrivals: list[tuple[str, int]]) -> None:
    """The positions of a log are given rising, each at most once, in whatever order frames arrive."""
    session = started()
    by_log: dict[str, list[int]] = {}
    for log, position in shown(session, *(delivered(position, log) for log, position in arrivals)):
        by_log.setdefault(log, []).append(position)
    for log, seen in by_log.items():
        assert seen == sorted(set(seen))
        assert seen[-1] == max(position for name, position in arrivals if name == log)


@given(
    heads=st.lists(st.integers(0, 12), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 12), min_size=6, max_size=6),
    overlap=st.integers(0, 3),
)
def test_over_any_number_of_connections_nothing_is_lost_or_repeated(
    heads: list[int], cuts: list[int], overlap: int
) -> None:
    """Dropped connections lose nothing if the server replays from `resume`, or from a little before it."""
    session, log, seen = Session(resume=Resume("e1", {"user": 0})), 0, []
    for grown, cut in zip(heads, cuts, strict=False):
        log += grown
        start = max(0, positions(session.connect()).get("user", 0) - overlap)
        session.receive(welcome({"user": start}, resume="complete"))
        seen += shown(session, *(delivered(at) for at in range(start + 1, log + 1)[:cut]))
    start = positions(session.connect())["user"]
    session.receive(welcome({"user": start}, resume="complete"))
    seen += shown(session, *(delivered(at) for at in range(start + 1, log + 1)))
    assert seen == [("user", at) for at in range(1, log + 1)]


def test_handled_is_acknowledged_cumulatively_and_once() -> None:
    """One frame acknowledges the handled positions of all logs, and a second call gives no frame."""
    session = started()
    events = [session.receive(delivered(at, log))[0] for log, at in [("user", 1), ("user", 2), ("all", 7)]]
    assert session.acks() == []
    assert [session.handled(event, "e1") for event in events] == [True, True, True]
    assert [json.loads(ack)["positions"] for ack in session.acks()] == [{"user": 2, "all": 7}]
    assert session.acks() == []


def test_the_last_acknowledgements_of_a_connection_are_repeated() -> None:
    """The acknowledgements of a broken connection, which get no answer, are repeated on the next one."""
    session = started()
    session.handled(session.receive(delivered(1))[0], "e1")
    assert len(session.acks()) == 1
    session.connect()
    session.receive(welcome({"user": 1}, resume="complete"))
    assert [json.loads(ack)["positions"] for ack in session.acks()] == [{"user": 1}]


def test_acks_of_many_logs_fit_their_frames() -> None:
    """Acknowledgement frames stay below the limit for any number and length of log names."""
    session = started()
    logs = [f"group:{number:0128d}" for number in range(1000)]
    for log in logs:
        session.handled(session.receive(delivered(9, log))[0], "e1")
    acks = session.acks()
    assert all(len(ack) <= limits.FRAME_BYTES for ack in acks)
    assert {log for ack in acks for log in json.loads(ack)["positions"]} == set(logs)


def test_a_resume_too_large_for_a_frame_leaves_out_what_is_cheapest_to_replay() -> None:
    """If a frame cannot hold all logs, the shortest are left out, because the server replays those."""
    session = Session(resume=Resume("e1", {f"group:{number:0128d}": number for number in range(1000)}))
    text = session.connect()
    kept = positions(text)
    assert len(text) <= limits.FRAME_BYTES
    assert 300 < len(kept) < 1000
    assert min(kept.values()) == 1000 - len(kept)
    session.receive(welcome(dict.fromkeys(kept, 0), resume="complete"))
    assert shown(session, delivered(3, f"group:{3:0128d}"), delivered(4, f"group:{3:0128d}")) == [
        (f"group:{3:0128d}", 4)
    ]


def test_a_gap_is_acknowledged_after_it_was_handled() -> None:
    """The next resume begins after a gap, and the gap is acknowledged when it was handled."""
    session = started()
    (gap,) = session.receive(frame("gap", log="user", **{"from": 1, "to": 5}, missed=5, reason="trimmed"))
    assert gap == Gap(log="user", from_=1, to=5, missed=5, reason="trimmed")
    assert positions(session.connect()) == {"user": 5}
    assert session.resume_point() == Resume("e1", {"user": 0}, 0)
    assert session.handled(gap, "e1")
    assert session.resume_point() == Resume("e1", {"user": 5}, 0)


def test_another_epoch_resets_positions() -> None:
    """Positions of another epoch are dropped, and events of that epoch are not acknowledged."""
    session = started()
    (old,) = session.receive(delivered(90))
    session.connect()
    session.receive(welcome({"user": 3}, epoch="e2", resume="gap"))
    session.receive(frame("gap", log="user", **{"from": 1, "to": 3}, missed=None, reason="epoch"))
    assert shown(session, delivered(3), delivered(4)) == [("user", 4)]
    assert not session.handled(old, "e1")
    assert session.acks() == []
    assert session.resume_point() == Resume("e2", {"user": 3}, 0)


def test_positions_beyond_the_head_of_a_log_are_reset() -> None:
    """A gap with reason epoch within the same epoch sets its log to the position of the welcome."""
    session = Session(resume=Resume("e1", {"user": 50}))
    session.connect()
    session.receive(welcome({"user": 8}, resume="gap"))
    session.receive(frame("gap", log="user", **{"from": 9, "to": 50}, missed=None, reason="epoch"))
    assert shown(session, delivered(9)) == [("user", 9)]


def test_caught_up_advances_over_hidden_positions() -> None:
    """Hidden positions at the end of a replay are acknowledged, and not replayed again."""
    session = started()
    (caught_up,) = session.receive(frame("caught_up", positions={"user": 9}))
    assert caught_up == CaughtUp(positions={"user": 9})
    assert session.handled(caught_up, "e1")
    assert positions(session.connect()) == {"user": 9}


def test_a_joined_log_starts_at_its_position_and_a_left_one_is_kept() -> None:
    """The log of a group resumes from the join, and a left log keeps its position."""
    session = started()
    session.receive(frame("joined", log="group:g", position=40))
    assert positions(session.connect()) == {"user": 0, "group:g": 40}
    session.receive(welcome({"user": 0, "group:g": 40}, resume="complete"))
    shown(session, delivered(41, "group:g"))
    session.receive(frame("left", log="group:g", position=41))
    assert positions(session.connect())["group:g"] == 41


def test_marks_are_answered_by_their_ref() -> None:
    """A state or an error with the ref of a mark answers it, and with another ref it is an event."""
    session = started()
    first, text = session.ask(Mark(state="read", ids=("n1",)))
    second, _ = session.ask(Mark(state="archived", all=True, category="orders"))
    assert json.loads(text) == {"type": "mark", "state": "read", "ids": ["n1"], "ref": first}
    stated = frame("state", counts=COUNTS, state_version=1, changes=[], ref=first)
    answer, changed = session.receive(stated)
    assert isinstance(changed, Changed)
    assert answer == Answered(first, changed)
    assert session.receive(stated) == [changed]
    assert len(session.unanswered()) == 1
    (refused,) = session.receive(frame("error", code="invalid_request", detail="No", ref=second))
    assert isinstance(refused, Answered)
    assert isinstance(refused.result, FrameRefusedError)
    assert refused.result.code == "invalid_request"
    assert session.unanswered() == []
    (event,) = session.receive(frame("error", code="rate_limited", detail="Slow down"))
    assert event == ErrorFrame("rate_limited", "Slow down")


def test_expiring_asks_for_another_token() -> None:
    """`expiring` gives an output that asks for another token, with the seconds that are left."""
    assert started().receive(frame("expiring", **{"in": 60})) == [RefreshWanted(60)]


def test_frames_and_fields_of_a_newer_server_are_ignored() -> None:
    """Unknown frames and fields are ignored."""
    session = started()
    assert session.receive(frame("confetti", colour="red")) == []
    assert shown(session, delivered(1).replace('"log"', '"weight": 3, "log"')) == [("user", 1)]


@pytest.mark.parametrize(
    "message",
    [
        b"{}",
        "",
        "[]",
        "{",
        "{}",
        '{"type": 3}',
        "\ud800",
        "[" * 20_000,
        '{"type": "notification", "log": "user"}',
        '{"type": "gap", "log": "user", "from": 1, "to": "x", "missed": 1, "reason": "trimmed"}',
        welcome({"user": 0}),
    ],
)
def test_a_malformed_frame_is_an_error(message: str | bytes) -> None:
    """A message that is no frame of the protocol raises MalformedFrameError."""
    session = started()
    with pytest.raises(MalformedFrameError):
        session.receive(message)


def test_a_frame_before_the_welcome_is_an_error() -> None:
    """A delivery before the welcome raises MalformedFrameError."""
    session = Session()
    session.connect()
    with pytest.raises(MalformedFrameError):
        session.receive(delivered(1))
    assert isinstance(session.receive(welcome({"user": 0}))[0], Connected)


@given(st.text())
def test_any_text_gives_outputs_or_a_malformed_frame_error(message: str) -> None:
    """Any text gives outputs or MalformedFrameError."""
    with suppress(MalformedFrameError):
        started().receive(message)
