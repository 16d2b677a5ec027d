"""Bytes to STOMP frames and back, without sockets."""

import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.costly import MOST_PER_BYTE, cost_per_byte
from tidings_workers.gateway.stomp.frames import (
    FRAME_BYTES,
    HEADERS,
    VERSIONS,
    Frame,
    StompError,
    Version,
    encode,
    is_representable,
)
from tidings_workers.gateway.stomp.parser import Parser

Outcome = tuple[list[Frame], str | None]


def parsed(parts: list[bytes], version: Version = "1.2") -> Outcome:
    """The frames of these parts, in the order of their arrival, and the code of the error."""
    parser = Parser()
    parser.version = version
    frames: list[Frame] = []
    try:
        for part in parts:
            parser.feed(part)
            while (frame := parser.next_frame()) is not None:
                frames.append(frame)
    except StompError as error:
        parser.feed(b"SEND\n\n\0")
        if parser.next_frame() is None:
            return frames, error.code
        raise
    return frames, None


PIECES = st.sampled_from([
    *(b"SEND\n", b"SUBSCRIBE\r\n", b"CONNECT\n", b"\n", b"\r\n", b"\r", b"\0", b"\0\n"),
    *(b"content-length:3\n", b"content-length:0\n", b"content-length:x\n", b"abc", b"\\t", b":"),
    *(b"a:b\n", b"a:b:c\r\n", b"a\\c:\\n\n", "\N{LATIN SMALL LETTER E WITH ACUTE}".encode(), b"\xe4"),
    *(b"x" * 70_000, b"h:" + b"v" * 40_000 + b"\n", b"k:v\n" * 63, b"k:v\n" * 65),
    *(b"SEND\ncontent-length:5\n\na\0b\0c\0", b"SEND\n\nbody\0", b"STOMP\naccept-version:1.2\n\n\0"),
])  # fmt: skip


@given(
    pieces=st.lists(PIECES, max_size=12),
    version=st.sampled_from(VERSIONS),
    seed=st.integers(0, 2**32),
)
@example(pieces=[b"SEND\n", b"\r\n", b"abc", b"\0"], version="1.2", seed=0)
def test_slices_change_nothing(pieces: list[bytes], version: Version, seed: int) -> None:
    """The same bytes give the same frames and the same error, wherever they are cut."""
    data = b"".join(pieces)
    generator = random.Random(seed)
    cuts = sorted(generator.randrange(len(data) + 1) for _ in range(generator.choice((1, 5, 50))))
    edges = [0, *cuts, len(data)]
    sliced = [data[start:end] for start, end in pairwise(edges)]
    whole = parsed([data], version)
    assert parsed(sliced, version) == whole
    if len(data) < 500:
        assert parsed([bytes([byte]) for byte in data], version) == whole


TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\\\n\r:\0 "), max_size=40)


@given(
    version=st.sampled_from(VERSIONS),
    headers=st.dictionaries(TEXT.filter(bool), TEXT, max_size=10),
    body=st.binary(max_size=200),
)
def test_an_encoded_frame_is_read_back(version: Version, headers: dict[str, str], body: bytes) -> None:
    """Every header that a version can represent arrives unchanged, and every body."""
    if version == "1.0":
        headers = {
            name: value
            for name, value in headers.items()
            if ":" not in name and name.strip(" ") == name and value.strip(" ") == value
        }
    headers = {
        name: value
        for name, value in headers.items()
        if is_representable(name, version)
        and is_representable(value, version)
        and name != "content-length"
        and not (version != "1.2" and value.endswith("\r"))
    }
    data = encode("MESSAGE", headers.items(), body, version)
    frames, error = parsed([data, b"\n", data], version)
    expected = Frame("MESSAGE", headers | {"content-length": str(len(body))}, body)
    assert (frames, error) == ([expected, expected], None)


FRAMES: dict[str, tuple[bytes, list[Frame]]] = {
    "a frame": (b"SEND\ndestination:/a\n\nhello\0", [Frame("SEND", {"destination": "/a"}, b"hello")]),
    "line ends before and after": (b"\n\r\nSEND\n\n\0\n\n", [Frame("SEND", {})]),
    "heartbeats alone": (b"\n" * 100, []),
    "CRLF": (b"SEND\r\na:b\r\n\r\nx\r\n\0\r\n", [Frame("SEND", {"a": "b"}, b"x\r\n")]),
    "several in one": (b"SEND\n\n1\0SEND\n\n2\0\n", [Frame("SEND", {}, b"1"), Frame("SEND", {}, b"2")]),
    "a NUL in the body": (
        b"SEND\ncontent-length:3\n\na\0b\0",
        [Frame("SEND", {"content-length": "3"}, b"a\0b")],
    ),
    "repeated headers": (b"SEND\na:1\na:2\n\n\0", [Frame("SEND", {"a": "1"})]),
    "a colon in a value": (b"SEND\na:b:c\n\n\0", [Frame("SEND", {"a": "b:c"})]),
    "an empty value": (b"SEND\na:\n\n\0", [Frame("SEND", {"a": ""})]),
    "escapes": (b"SEND\na:\\n\\c\\\\n\\r\n\n\0", [Frame("SEND", {"a": "\n:\\n\r"})]),
    "no escapes in CONNECT": (b"CONNECT\npasscode:a\\tb\n\n\0", [Frame("CONNECT", {"passcode": "a\\tb"})]),
    "an unfinished frame": (b"SEND\ncontent-length:4\n\nabc", []),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_frames(name: str) -> None:
    """Each form of a frame that clients send is read as the specification says."""
    data, frames = FRAMES[name]
    assert parsed([data]) == (frames, None)


HOSTILE: dict[str, tuple[bytes, str]] = {
    "HTTP": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "malformed_request"),
    "JSON": (b'{"type":"connect"}\n\n\0', "malformed_request"),
    "a lower-case command": (b"send\n\n\0", "malformed_request"),
    "a long command": (b"S" * 1000 + b"\n\n\0", "malformed_request"),
    "no empty line": (b"SEND\na:b\0", "malformed_request"),
    "a NUL alone": (b"\0", "malformed_request"),
    "a header without a colon": (b"SEND\nabc\n\n\0", "malformed_request"),
    "a header without a name": (b"SEND\n:b\n\n\0", "malformed_request"),
    "an unknown escape": (b"SEND\na:\\t\n\n\0", "malformed_request"),
    "a backslash at the end": (b"SEND\na:b\\\n\n\0", "malformed_request"),
    "Latin-1": (b"SEND\na:\xe4\n\n\0", "malformed_request"),
    "a length that is no number": (b"SEND\ncontent-length:-1\n\n\0", "malformed_request"),
    "a length in other digits": ("SEND\ncontent-length:\u0663\n\nabc\0".encode(), "malformed_request"),
    "a length of many digits": (b"SEND\ncontent-length:" + b"9" * 5000 + b"\n\n\0", "malformed_request"),
    "a length that is too short": (b"SEND\ncontent-length:1\n\nabc\0", "malformed_request"),
    "a length that is too large": (b"SEND\ncontent-length:99999999\n\n", "too_large"),
    "a head without an end": (b"SEND\na:" + b"x" * FRAME_BYTES, "too_large"),
    "a body without an end": (b"SEND\n\n" + b"x" * FRAME_BYTES, "too_large"),
    "a body that is too large": (b"SEND\n\n" + b"x" * FRAME_BYTES + b"\0", "too_large"),
    "too many headers": (b"SEND\n" + b"a:b\n" * (HEADERS + 1) + b"\n\0", "too_large"),
    "nothing but carriage returns": (b"\r" * (FRAME_BYTES + 1), "too_large"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused(name: str) -> None:
    """Bytes that break the rules or a limit get an error with a code, after the frames before them."""
    data, code = HOSTILE[name]
    assert parsed([b"SEND\n\n1\0" + data]) == ([Frame("SEND", {}, b"1")], code)


def test_the_largest_frame() -> None:
    """A frame of exactly the limit is read, with the most headers that are allowed."""
    head = b"SEND\n" + b"a:b\n" * HEADERS + b"\n"
    data = head + b"x" * (FRAME_BYTES - len(head) - 1) + b"\0"
    (frame,), error = parsed([data])
    assert (len(data), len(frame.body), error) == (FRAME_BYTES, FRAME_BYTES - len(head) - 1, None)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_escapes_by_version(version: Version) -> None:
    """Version 1.0 has no escapes, and 1.1 none for a carriage return."""
    frames, error = parsed([b"SEND\na: \\c \n\nx\0"], version)
    assert (frames[0].headers["a"], error) == (("\\c", None) if version == "1.0" else (" : ", None))
    frames, error = parsed([b"SEND\na:\\r\n\n\0"], version)
    assert error == (None if version == "1.0" else "malformed_request")
    assert not is_representable("a\rb", version)
    assert is_representable("a\nb", version) == (version == "1.1")


COSTLY: dict[str, Callable[[int], bytes]] = {
    "heartbeats": lambda size: b"\n" * size,
    "CRLF heartbeats": lambda size: b"\r\n" * (size // 2),
    "carriage returns": lambda size: b"\r" * size,
    "headers": lambda size: b"SEND\n" + b"a:b\n" * (size // 4),
    "colons": lambda size: b"SEND\n" + b":" * size,
    "escapes": lambda size: b"SEND\na:" + b"\\n" * (size // 2) + b"\n\n\0",
    "a body": lambda size: b"SEND\n\n" + b"x" * size,
    "half ends of a head": lambda size: b"SEND\na:" + b"\n\ra" * (size // 3),
    "frames in one": lambda size: b"SEND\ndestination:/topic/a\n\n{}\0" * (size // 30),
}


@pytest.mark.parametrize("slice_bytes", [1 << 20, 512, 16])
@pytest.mark.parametrize("name", COSTLY)
def test_the_cost_is_linear(name: str, slice_bytes: int) -> None:
    """The CPU time is bounded by the number of bytes, in large pieces and in small ones."""
    data = COSTLY[name](60_000)
    parts = [data[start : start + slice_bytes] for start in range(0, len(data), slice_bytes)]
    # The call for each piece and each frame costs more than their bytes.
    most = MOST_PER_BYTE + 5 / slice_bytes + (1 if name == "frames in one" else 0)
    assert cost_per_byte(lambda: parsed(parts), len(data), most) < most
