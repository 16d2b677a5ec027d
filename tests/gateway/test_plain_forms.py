"""Plain handshakes and frames are decoded without the general parsers, with the same results."""

import random
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State
from websockets.utils import apply_mask

from tests.support.costly import MOST_PER_BYTE, cost_per_byte
from tests.support.realtime import Realtime, Wire, handshake, masked
from tidings.protocol import limits
from tidings_workers.gateway.handshake import accept
from tidings_workers.gateway.head import Elsewhere, HttpRefusal, _parsed
from tidings_workers.gateway.plain_frames import PONG, TEXT, plain_frame
from tidings_workers.gateway.plain_handshake import PLAIN_BYTES, Handshake, plain_handshake

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
FIELDS = {
    "Host": "127.0.0.1:8001",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}
BROWSER = {
    **FIELDS,
    "Pragma": "no-cache",
    "Cache-Control": "no-cache",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0",
    "Origin": "https://app.example",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-US,en;q=0.9,de;q=0.8",
    "Cookie": "session=abc; theme=dark",
    "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
    "Sec-WebSocket-Protocol": "tidings.v1",
}


def head_of(*further: str, first: str = "GET /v1/realtime HTTP/1.1", **changed: str | None) -> bytes:
    """A request head; `changed` replaces or removes fields, by their names with underscores."""
    fields = FIELDS | {name.replace("_", "-"): value for name, value in changed.items() if value is not None}
    removed = {name.replace("_", "-") for name, value in changed.items() if value is None}
    lines = [first, *(f"{name}: {value}" for name, value in fields.items() if name not in removed), *further]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def outcome(found: Handshake | Elsewhere | HttpRefusal) -> object:
    """The parts that decide about a handshake, and the response."""
    if not isinstance(found, Handshake):
        return found
    return (found.query, list(found.origins), list(found.authorization), accept(found))


PLAIN = {
    "least": head_of(),
    "browser": head_of(**{name.replace("-", "_"): value for name, value in BROWSER.items()}),
    "firefox": head_of(Connection="keep-alive, Upgrade"),
    "token": head_of(Authorization="Bearer a.b.c"),
    "two spaces in a value": head_of(Authorization="Bearer  a.b.c"),
    "small letters": head_of().replace(b"Host", b"host").replace(b"Upgrade: ", b"upgrade: "),
}
OTHER = {
    "query": head_of(first="GET /v1/realtime?a=b HTTP/1.1"),
    "token in the query": head_of(first="GET /v1/realtime?token=b HTTP/1.1"),
    "path": head_of(first="GET /v1/other HTTP/1.1"),
    "method": head_of(first="POST /v1/realtime HTTP/1.1"),
    "version": head_of(first="GET /v1/realtime HTTP/1.0"),
    "no key": head_of("A: b", Sec_WebSocket_Key=None),
    "short key": head_of(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ="),
    "key of 15 bytes": head_of(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25j"),
    "key of no base64": head_of(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZ-=="),
    "version 12": head_of(Sec_WebSocket_Version="12"),
    "no version": head_of("A: b", Sec_WebSocket_Version=None),
    "no upgrade": head_of("A: b", Upgrade=None),
    "other upgrade": head_of(Upgrade="h2c"),
    "two upgrades": head_of(Upgrade="websocket, h2c"),
    "upgrade in capitals": head_of(Upgrade="WEBSOCKET"),
    "no connection": head_of("A: b", Connection=None),
    "connection without upgrade": head_of(Connection="keep-alive"),
    "connection in capitals": head_of(Connection="UPGRADE, x"),
    "two keys": head_of(f"Sec-WebSocket-Key: {KEY}"),
    "two origins": head_of("Origin: https://a.example", "Origin: https://b.example"),
    "two tokens": head_of("Authorization: Bearer a.b.c", "Authorization: Bearer a.b.c"),
    "two hosts": head_of("host: other"),
    "other subprotocol": head_of(Sec_WebSocket_Protocol="v12.stomp"),
    "several subprotocols": head_of(Sec_WebSocket_Protocol="v12.stomp, tidings.v1"),
    "wrong subprotocol": head_of(Sec_WebSocket_Protocol="a b"),
    "body": head_of("Content-Length: 5"),
    "no body": head_of("Content-Length: 0"),
    "chunks": head_of("Transfer-Encoding: chunked"),
    "no space": head_of("Authorization:Bearer a.b.c"),
    "space before the colon": head_of("Authorization : Bearer a.b.c"),
    "space at the end": head_of("Authorization: Bearer a.b.c "),
    "tab": head_of("Authorization:\tBearer a.b.c"),
    "empty value": head_of("Cookie: "),
    "empty origin": head_of("Origin: "),
    "folded": head_of("Cookie: a", " b"),
    "control character": head_of("Cookie: a\x00b"),
    "bare line feed": head_of("Cookie: a\nOrigin: https://evil.example"),
    "not ASCII": head_of("Cookie: \xe4"),
    "name of other characters": head_of("X_A: b"),
    "no name": head_of(": b"),
    "long": head_of("Cookie: " + "x" * PLAIN_BYTES),
    "many lines": head_of(*(f"X-{number}: y" for number in range(50))),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_handshake_has_the_result_of_the_general_parser(name: str) -> None:
    """A plain handshake gives the same parts and the same response as through the general parser."""
    found, general = plain_handshake(PLAIN[name]), _parsed(PLAIN[name])
    assert found is not None
    assert found.request is None
    assert isinstance(general, Handshake)
    assert general.request is not None
    assert outcome(found) == outcome(general)


@pytest.mark.parametrize("name", OTHER)
def test_another_handshake_is_left_to_the_general_parser(name: str) -> None:
    """A handshake of another form, right or wrong, is not decoded as a plain one."""
    assert plain_handshake(OTHER[name]) is None


@given(st.sampled_from([*PLAIN.values(), *OTHER.values()]), st.randoms(), st.integers(1, 4))
def test_a_changed_handshake_is_plain_only_with_the_same_result(
    head: bytes, chance: random.Random, changes: int
) -> None:
    """Whatever bytes of a handshake are changed: if it is still plain, the general parser agrees."""
    changed = bytearray(head)
    for _ in range(changes):
        at = chance.randrange(len(changed))
        changed[at : at + chance.randrange(2)] = chance.choice(
            [b" ", b"\r\n", b":", b"\x00", b"A", b",", b"\xff"]
        )
    found = plain_handshake(bytes(changed))
    if found is not None:
        assert outcome(found) == outcome(_parsed(bytes(changed)))


COSTLY: dict[str, Callable[[int], bytes]] = {
    "blanks": lambda size: head_of("Cookie: a" + " " * size),
    "words": lambda size: head_of("Cookie: " + "a " * (size // 2)),
    "lines": lambda size: head_of(*("a: b" for _ in range(size // 6))),
    "names": lambda size: head_of("a" * size),
}


@pytest.mark.parametrize("name", COSTLY)
def test_a_costly_head_is_no_plain_one_cheaply(name: str) -> None:
    """The CPU time to find out that a head is not plain is bounded by its length."""
    head = COSTLY[name](PLAIN_BYTES - 300)
    assert cost_per_byte(lambda: plain_handshake(head), len(head)) < MOST_PER_BYTE


def general_frames(data: bytes) -> list[Frame]:
    """The frames that the general parser finds."""
    protocol = Protocol(Side.SERVER, state=State.OPEN, max_size=limits.FRAME_BYTES)
    protocol.receive_data(data)
    found = [event for event in protocol.events_received() if isinstance(event, Frame)]
    protocol.parser.close()
    return found


def frame(first: int, payload: bytes, mask: bytes = b"abcd", *, medium: bool = False) -> bytes:
    head = (
        bytes((first, 0x80 | len(payload)))
        if len(payload) < 126 and not medium
        else struct.pack("!BBH", first, 0x80 | 126, len(payload))
    )
    return head + mask + apply_mask(payload, mask)


@given(
    st.sampled_from([0x81, 0x89, 0x8A]),
    st.binary(max_size=300) | st.integers(65_000, 65_535).map(bytes),
    st.binary(min_size=4, max_size=4),
    st.binary(max_size=5),
)
def test_a_plain_frame_has_the_result_of_the_general_parser(
    first: int, payload: bytes, mask: bytes, rest: bytes
) -> None:
    """A whole text, ping or pong is decoded as by the general parser, up to its end."""
    data = frame(first, payload, mask)
    found = plain_frame(b"xyz" + data + rest, 3)
    if first != TEXT and len(payload) > 125:
        assert found is None
        return
    (general,) = general_frames(data)
    assert found == (first, bytes(general.data), 3 + len(data))
    assert (general.opcode, general.fin) == (Opcode(first & 0xF), True)


@pytest.mark.parametrize(
    "data",
    [
        frame(0x01, b"first part"),
        frame(0x80, b"last part"),
        frame(0x82, b"binary"),
        frame(0x88, b"\x03\xe8"),
        frame(0xC1, b"compressed"),
        frame(0x83, b"reserved"),
        frame(0x81, b"long form", medium=True),
        frame(0x89, b"x" * 126),
        b"\x81\x05hello",
        frame(0x81, b"cut")[:-1],
        frame(0x81, b"cut" * 100)[:-1],
        b"\x81",
        b"\x81\xff" + bytes(12),
        b"",
    ],
    ids=lambda data: data[:6].hex(),
)
def test_another_frame_is_left_to_the_general_parser(data: bytes) -> None:
    """A frame that is cut, fragmented, too long, unmasked or of another kind is not a plain one."""
    assert plain_frame(data, 0) is None


async def test_plain_and_other_frames_of_one_connection_keep_their_order(realtime: Realtime) -> None:
    """Frames of one kind are answered in the order in which they were sent, in any forms and pieces."""
    authorization = ": ".join(realtime.bearer("ana"))
    ping = '{{"type":"ping","ref":{}}}'.format
    async with Wire.to(realtime.port) as wire:
        wire.write(handshake(authorization))
        assert (await wire.response())[0] == 101
        wire.write(masked('{"type":"connect"}'))
        assert (await wire.message())["type"] == "welcome"
        whole = ping(3).encode()
        wire.write(masked(ping(1)) + masked("a", 0x89) + masked(ping(2)))
        wire.write(
            masked(whole[:5], 0x01) + masked("b", 0x89) + masked(whole[5:], 0x80) + masked(ping(4))[:7]
        )
        answers = [await wire.frame() for _ in range(5)]
        wire.write(masked(ping(4))[7:] + masked("c", 0x89) + masked(ping(5)))
        answers += [await wire.frame() for _ in range(3)]
    texts = [payload for first, payload in answers if first == TEXT]
    assert texts == [b'{"type":"pong","ref":%d}' % number for number in range(1, 6)]
    assert [payload for first, payload in answers if first == PONG] == [b"a", b"b", b"c"]
