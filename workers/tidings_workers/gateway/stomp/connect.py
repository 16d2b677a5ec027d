"""The frame CONNECT: version, heartbeats, login, and the `connect` frame of `tidings.v1` in it."""

import re
from typing import Final

import msgspec
from msgspec import Struct, structs

from tidings.protocol.frames import Connect, Resume
from tidings.protocol.names import topic_of_log
from tidings_workers.gateway.stomp.frames import VERSIONS, StompError, Version

# A client may ask for a heartbeat this often.
LEAST_BEAT_MILLISECONDS: Final = 1_000
BEAT_MILLISECONDS: Final = 10_000

_NO_GUEST: Final = (
    "The headers login and device need a token: Authorization: Bearer <token>, or passcode. Send it, or "
    "leave them out."
)
_MILLISECONDS: Final = re.compile(r" *([0-9]{1,9}) *, *([0-9]{1,9}) *").fullmatch


class Heartbeats(Struct, frozen=True):
    """The milliseconds between two heartbeats of the client and of the server; 0 for none."""

    theirs: int
    ours: int

    @property
    def header(self) -> str:
        """The header of CONNECTED."""
        return f"{self.ours or LEAST_BEAT_MILLISECONDS},{self.theirs}"


class ConnectHeaders(Struct, frozen=True):
    """The headers of CONNECT that matter. `login` is empty, or the user whom the token has to name.

    `topics`: the positions of topics in `resume`, where their subscriptions start. `guest_host`: the header
    `host` of a client that has no token; it may be a guest.
    """

    version: Version
    heartbeats: Heartbeats
    login: str
    connect: Connect
    topics: dict[str, int]
    guest_host: str | None


def read_connect(headers: dict[str, str], *, has_token: bool) -> ConnectHeaders:
    """Read the headers of CONNECT. `has_token`: the handshake carried one. Raises StompError."""
    offered = [each.strip() for each in headers.get("accept-version", "1.0").split(",")]
    version = next((version for version in VERSIONS if version in offered), None)
    if version is None:
        raise StompError(
            "invalid_request", f"The versions here are {', '.join(VERSIONS)}. Offer one of them."
        )
    token = _token(headers)
    is_guest = token is None and not has_token
    resume, topics = _resume(headers.get("resume"))
    login, device = headers.get("login", ""), headers.get("device") or None
    if is_guest:
        if login or device:
            raise StompError("missing_token", _NO_GUEST)
        # A guest has no inbox in which the other positions could be.
        resume = None
    connect = Connect(token, device, resume, client=f"STOMP {version}", inbox=not is_guest)
    heartbeats = _heartbeats(headers.get("heart-beat", "0,0"))
    host = headers.get("host", "") if is_guest else None
    return ConnectHeaders(version, heartbeats, login, connect, topics, host)


def _token(headers: dict[str, str]) -> str | None:
    """The token: in Authorization, else token, else passcode."""
    value = headers.get("Authorization") or headers.get("authorization")
    if value:
        scheme, _, token = value.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise StompError("invalid_token", "The header Authorization has the form: Bearer <token>.")
        return token.strip()
    return headers.get("token") or headers.get("passcode") or None


def _resume(text: str | None) -> tuple[Resume | None, dict[str, int]]:
    """The positions of the inbox, and those of topics: a client subscribes to topics later."""
    if not text:
        return None, {}
    try:
        resume = msgspec.json.decode(text, type=Resume)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise StompError(
            "invalid_request", 'The header resume is JSON: {"epoch": "...", "positions": {"user": 12}}.'
        ) from None
    positions, topics = dict[str, int](), dict[str, int]()
    for log, position in resume.positions.items():
        topic = topic_of_log(log)
        if topic is None:
            positions[log] = position
        else:
            topics[topic] = position
    return structs.replace(resume, positions=positions), topics


def _heartbeats(text: str) -> Heartbeats:
    found = _MILLISECONDS(text)
    if found is None:
        raise StompError(
            "invalid_request", "The header heart-beat has two numbers of milliseconds: 10000,10000."
        )
    able, wanted = int(found[1]), int(found[2])
    return Heartbeats(BEAT_MILLISECONDS if able else 0, max(LEAST_BEAT_MILLISECONDS, wanted) if wanted else 0)
