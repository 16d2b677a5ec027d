"""The protocol of one connection, without a socket and with the test's own clock."""

import functools
import json
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.support.costly import MOST_PER_BYTE, VALUES, cost_per_byte
from tidings.protocol import closing, limits
from tidings.protocol.frames import Connect, ErrorFrame, Expiring, Pong
from tidings_workers.gateway.actions import (
    Abort,
    Acknowledge,
    Action,
    Close,
    Open,
    Probe,
    RefreshToken,
    Send,
)
from tidings_workers.gateway.session import Session

HEARTBEAT = 25.0


def frame(type: str, **fields: Any) -> bytes:
    return json.dumps({"type": type, **fields}).encode()


def new() -> Session:
    return Session(0.0, HEARTBEAT)


def opened(expires_at: float = 3600.0) -> Session:
    session = new()
    assert isinstance(session.receive(frame("connect")), Open)
    session.welcome(expires_at)
    return session


def alive(session: Session, until: float, since: float = 0.0) -> list[tuple[float, Action]]:
    """Every action from `since` to `until` for a peer that answers each probe at once."""
    actions: list[tuple[float, Action]] = []
    now = since
    while (now := max(now, session.due())) <= until and not (actions and isinstance(actions[-1][1], Close)):
        for action in session.tick(now):
            actions.append((now, action))
            if isinstance(action, Probe):
                session.bytes_arrived()
    return actions


def shown(value: object) -> str:
    """The id of a parameter, the same in every process."""
    return value._state.name if isinstance(value, Session) else repr(value)[:80]


@pytest.mark.parametrize(
    ("session", "data", "expected"),
    [
        (new(), frame("connect", device="tv", rewind=3), Open(Connect(device="tv", rewind=3))),
        (new(), frame("connect", client="x" * 201), Open(Connect(client="x" * 201))),
        (new(), frame("ping", ref=1), closing.PROTOCOL_ERROR),
        (new(), frame("dance", ref=1), closing.PROTOCOL_ERROR),
        (new(), b'{"device":"tv"}', closing.PROTOCOL_ERROR),
        (new(), frame("ack", positions={}), closing.PROTOCOL_ERROR),
        (new(), frame("refresh", token="x"), closing.PROTOCOL_ERROR),
        (new(), frame("connect", rewind=1, resume={"epoch": "e"}), closing.PROTOCOL_ERROR),
        (new(), b"", closing.PROTOCOL_ERROR),
        (opened(), frame("connect"), closing.PROTOCOL_ERROR),
        (opened(), frame("ping"), Send(Pong(None))),
        (opened(), frame("ack", positions={"user": 3}), Acknowledge({"user": 3})),
        (opened(), frame("refresh", token="x"), RefreshToken("x")),
        (opened(), frame("dance", ref="r"), ErrorFrame("unknown_type", "", "r")),
        (opened(), frame("dance", ref={"a": 1}), ErrorFrame("unknown_type", "")),
        (
            opened(),
            frame("dance", ref="\U0001f600" * 128),
            ErrorFrame("unknown_type", "", "\U0001f600" * 128),
        ),
        (opened(), frame("dance", ref="x" * 129), ErrorFrame("unknown_type", "")),
        (opened(), frame("dance", ref=1e308), ErrorFrame("unknown_type", "")),
        (opened(), frame("ack", positions=3, ref=4), ErrorFrame("invalid_request", "", 4)),
        (opened(), b"{}", closing.PROTOCOL_ERROR),
        (opened(), b"null", closing.PROTOCOL_ERROR),
    ],
    ids=shown,
)
def test_receive(session: Session, data: bytes, expected: object) -> None:
    """Each frame in each state has one answer: an action, an error frame, or a close."""
    action = session.receive(data)
    if isinstance(expected, closing.CloseCode):
        assert isinstance(action, Close)
        assert action.code == expected
        assert session.receive(frame("ping")) is None
    elif isinstance(expected, ErrorFrame):
        assert isinstance(action, Send)
        assert isinstance(action.frame, ErrorFrame)
        assert (action.frame.code, action.frame.ref) == (expected.code, expected.ref)
    else:
        assert action == expected


@pytest.mark.parametrize(
    ("session", "data", "words"),
    [
        (new(), frame("ping"), "the first frame must be connect"),
        (new(), b"{}", "#/type: The field type is required."),
        (new(), b'{"type"', "a frame must be one JSON object"),
        (
            new(),
            frame("connect", device="a b"),
            "#/device: A device is named by 1 to 64 characters as in ids.",
        ),
        (
            new(),
            frame("connect", resume={"epoch": "e", "positions": {"user": -1}}),
            "#/resume/positions: It must be 0",
        ),
        (new(), frame("connect", rewind=201), "#/rewind: It must be 200 or less."),
        (new(), frame("connect", token=5), "#/token: This must be a string or null, not a whole number."),
        (opened(), frame("ack"), "#/positions: The field positions is required."),
        (
            opened(),
            frame("mark", state="bogus"),
            "#/state: This must be one of seen, unseen, read, unread,",
        ),
        (opened(), frame("mark", state="read", all=False), "#/all: This must be true"),
        (opened(), frame("ping", ref=[1]), "#/ref: This must be "),
        (opened(), frame("dance"), 'There is no frame of type "dance"'),
    ],
    ids=shown,
)
def test_words(session: Session, data: bytes, words: str) -> None:
    """Errors and close reasons name the field as a pointer and the rule in plain words."""
    action = session.receive(data)
    if isinstance(action, Send):
        assert isinstance(action.frame, ErrorFrame)
        detail = action.frame.detail
    else:
        assert isinstance(action, Close)
        detail = action.reason
    assert words in detail
    assert not set("`$^\\") & set(detail)


def test_frames_before_the_welcome_wait() -> None:
    """Frames sent right after `connect` are kept until the session is open, and then answered in order."""
    session = new()
    session.receive(frame("connect"))
    sent = [frame("ping", ref=1), frame("ack", positions={"user": 3}), frame("mark", state="read", all=True)]
    assert [session.receive(data) for data in sent] == [None, None, None]
    session.welcome(3600.0)
    waiting = session.take_waiting()
    assert waiting == sent
    assert [session.receive(data) for data in waiting][:2] == [Send(Pong(1)), Acknowledge({"user": 3})]
    assert session.take_waiting() == []


@pytest.mark.parametrize(("data", "count"), [(b"{}", limits.FRAMES_BURST), (b" " * 1000, 65)])
def test_waiting_frames_are_bounded(data: bytes, count: int) -> None:
    """A client that sends too much before its welcome is closed with 4101, which lets it reconnect."""
    session = new()
    session.receive(frame("connect"))
    assert {session.receive(data) for _ in range(count)} == {None}
    action = session.receive(data)
    assert isinstance(action, Close)
    assert action.code == closing.RATE_LIMITED
    assert session.take_waiting() == []


def received(make: Callable[[], Session], body: bytes) -> Action | None:
    return make().receive(body)


FIELDS = {
    "connect": ("token", "device", "resume", "rewind", "client"),
    "ack": ("positions",),
    "mark": ("state", "ids", "up_to", "all", "category"),
    "refresh": ("token",),
    "ping": (),
    "dance": (),
}


@pytest.mark.parametrize("value", VALUES)
def test_a_costly_frame_is_judged_cheaply(value: str) -> None:
    """The CPU time for a frame is bounded by its length, before `connect` and after it."""
    costly = VALUES[value](20_000)
    bodies = [costly]
    for type, fields in FIELDS.items():
        for name in (*fields, "ref", "type", "x"):
            bodies += [
                b'{"type":"%b","%b":%b}' % (type.encode(), name.encode(), costly),
                b'{"%b":%b,"type":"%b"}' % (name.encode(), costly, type.encode()),
            ]
        if costly.startswith(b"{"):
            bodies.append(b'{"type":"%b",%b}' % (type.encode(), costly[1:-1]))
    bodies += [
        b'{"type":"connect","resume":{"epoch":"e","%b":%b}}' % (name, costly)
        for name in (b"epoch", b"positions", b"state_version", b"x")
    ]
    for body in bodies:
        for make in (new, opened):
            cost = cost_per_byte(functools.partial(received, make, body), len(body))
            assert cost < MOST_PER_BYTE, body[:80]


def test_connect_deadline() -> None:
    """Without a connect frame the session closes after 5 s; `connect` stops that deadline."""
    waiting, opening = new(), new()
    assert waiting.due() == limits.CONNECT_SECONDS
    opening.receive(frame("connect"))
    assert waiting.tick(4.9) == []
    (action,) = waiting.tick(5.0)
    assert isinstance(action, Close)
    assert action.code == closing.NO_CONNECT
    assert opening.tick(5.0) == []


def test_connect_deadline_begins_with_the_handshake_response() -> None:
    """A handshake that waited for its turn leaves the client 5 s for its connect frame."""
    waiting, opening = new(), new()
    opening.receive(frame("connect"))
    for session in (waiting, opening):
        session.transport_ready(4.0)
    assert waiting.due() == 9.0
    assert waiting.tick(8.9) == []
    (action,) = waiting.tick(9.0)
    assert isinstance(action, Close)
    assert action.code == closing.NO_CONNECT
    assert opening.tick(9.0) == []


def test_expiry() -> None:
    """The session announces the expiry of its token once, 60 s before, and closes at the expiry."""
    actions = [
        (now, action) for now, action in alive(opened(1000.0), 2000.0) if not isinstance(action, Probe)
    ]
    assert actions == [
        (940.0, Send(Expiring(60))),
        (1000.0, Close(closing.TOKEN_EXPIRED, closing.TOKEN_EXPIRED.reason)),
    ]


def test_short_token() -> None:
    """A token with less than 60 s left is announced at once, with the time left."""
    session = opened(30.0)
    assert session.tick(6.0) == [Send(Expiring(24))]


def test_refresh() -> None:
    """A new token moves the expiry, and is announced in turn."""
    session = opened(1000.0)
    alive(session, 950.0)
    session.refresh(3000.0)
    actions = [
        (now, action) for now, action in alive(session, 4000.0, 950.0) if not isinstance(action, Probe)
    ]
    assert [now for now, _ in actions] == [2940.0, 3000.0]


def test_heartbeat() -> None:
    """A peer is probed every heartbeat and stays connected while bytes arrive from it."""
    probes = [now for now, action in alive(opened(), 200.0) if isinstance(action, Probe)]
    assert probes == [25.0 * count for count in range(1, 9)]


def test_silent_peer() -> None:
    """A peer that leaves two probes unanswered is dropped at the third heartbeat, without a close frame."""
    session = opened()
    assert [session.tick(now) for now in (25.0, 50.0, 75.0, 100.0)] == [[Probe()], [Probe()], [Abort()], []]


def test_stall() -> None:
    """After a long pause of the server, peers are probed before they are dropped."""
    session = opened()
    assert session.tick(600.0) == [Probe()]


@pytest.mark.parametrize("pace", [0.0, 0.001, 0.0099])
def test_flood(pace: float) -> None:
    """A burst of 200 frames and 100 more per second are admitted; a faster peer is closed with 4101."""
    session = opened()
    now, admitted = 0.0, 0
    while session.admit(now) is None:
        now, admitted = now + pace, admitted + 1
        assert admitted <= limits.FRAMES_BURST + now * limits.FRAMES_PER_SECOND
    assert admitted >= limits.FRAMES_BURST
    assert session.admit(now) is None
    assert session.receive(frame("ping")) is None


def test_steady() -> None:
    """Up to 100 frames per second are admitted without limit, after a burst of 200."""
    session = opened()
    for _ in range(limits.FRAMES_BURST):
        assert session.admit(0.0) is None
    for number in range(1, 1000):
        assert session.admit(number * 0.0101) is None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=8,
)
_fields = st.dictionaries(
    st.sampled_from(["token", "device", "resume", "rewind", "positions", "ref", "state", "epoch", "all"]),
    _json | st.just({"user": 1}) | st.just({"epoch": "e", "positions": {"user": 1}}),
    max_size=4,
)
_frames = st.builds(
    lambda type, fields: json.dumps({"type": type, **fields}).encode(),
    st.sampled_from(["connect", "ack", "mark", "refresh", "ping", "dance"]) | _json,
    _fields,
)
_steps = st.lists(
    st.one_of(
        _frames,
        st.binary(max_size=40),
        _json.map(lambda value: json.dumps(value).encode()),
        st.floats(0, 100),
        st.sampled_from(["bytes", "welcome", "refresh"]),
    ),
    max_size=60,
)


@given(_steps)
def test_any_sequence(steps: list[bytes | float | str]) -> None:
    """No sequence of input raises, and a session closes at most once and then returns no action."""
    session, now = new(), 0.0
    closes = 0
    opening = False
    for step in steps:
        actions: list[Action | None] = []
        if isinstance(step, bytes):
            actions = [session.admit(now) or session.receive(step)]
        elif isinstance(step, float):
            now += step
            actions = [*session.tick(now)]
        elif step == "bytes":
            session.bytes_arrived()
        elif step == "welcome" and opening and not closes:
            session.welcome(now + 300)
        elif step == "refresh" and session.is_open:
            session.refresh(now + 300)
        assert not closes or not any(actions)
        assert closes or session.due() >= 0
        opening |= any(isinstance(action, Open) for action in actions)
        closes += sum(isinstance(action, Close | Abort) for action in actions)
        for action in actions:
            if isinstance(action, Close):
                assert len(action.reason.encode()) <= 120
    assert closes <= 1
