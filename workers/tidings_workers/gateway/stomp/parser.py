"""Received bytes to STOMP frames, without I/O.

Any slicing of the same bytes gives the same frames. Each byte is searched once, so the cost is linear in the
number of bytes, and at most one frame is kept.
"""

import re
from typing import Final

from tidings_workers.gateway.stomp.frames import (
    FRAME_BYTES,
    HEADERS,
    UNESCAPED,
    Frame,
    StompError,
    Version,
    unescaped,
)

# The end of the headers, or a NUL, which they cannot have.
_END_OF_HEAD: Final = re.compile(rb"\n\r?\n|\0").search
_LINE_ENDS: Final = re.compile(rb"(?:\r?\n)*").match
_COMMAND: Final = re.compile(rb"[A-Z]{1,20}").fullmatch
_LENGTH: Final = re.compile(r"[0-9]{1,9}").fullmatch
# The longest part of an end of head that may be at the end of the bytes.
_OVERLAP: Final = 2


class Parser:
    """The frames of one peer. After a StompError it accepts no more bytes.

    `version` decides about escapes; set it when it was negotiated. A frame has at most `frame_bytes`.
    """

    __slots__ = ("_buffer", "_failed", "_frame_bytes", "_head", "_scanned", "_start", "version")

    def __init__(self, frame_bytes: int = FRAME_BYTES) -> None:
        self._frame_bytes = frame_bytes
        self.version: Version = "1.0"
        self._buffer = bytearray()
        # Where the current frame starts.
        self._start = 0
        # Up to where the end of the head, or of the body, was searched.
        self._scanned = 0
        # Command, headers and the index of the body's first byte, once the head is complete.
        self._head: tuple[str, dict[str, str], int] | None = None
        self._failed = False

    def feed(self, data: bytes) -> None:
        """Add received bytes. `next_frame` has their frames."""
        if not self._failed:
            self._buffer += data

    def next_frame(self) -> Frame | None:
        """The next complete frame; None when it needs more bytes. Line ends between frames are skipped.

        Raises StompError.
        """
        if self._failed:
            return None
        try:
            frame = self._next()
        except StompError:
            self._failed = True
            self._buffer.clear()
            raise
        if frame is None and self._start:
            del self._buffer[: self._start]
            if self._head is not None:
                command, headers, body = self._head
                self._head = command, headers, body - self._start
            self._scanned = max(0, self._scanned - self._start)
            self._start = 0
        return frame

    def _next(self) -> Frame | None:
        if self._head is None:
            self._skip_line_ends()
            self._head = self._read_head()
        if self._head is None:
            return None
        command, headers, start = self._head
        end = self._end_of_body(headers, start)
        if end is None:
            return None
        body = bytes(self._buffer[start:end])
        self._head = None
        self._start = self._scanned = end + 1
        return Frame(command, headers, body)

    def _skip_line_ends(self) -> None:
        found = _LINE_ENDS(self._buffer, self._start)
        assert found is not None  # noqa: S101 - the pattern also matches nothing
        self._start = found.end()
        self._scanned = max(self._scanned, self._start)

    def _read_head(self) -> tuple[str, dict[str, str], int] | None:
        buffer = self._buffer
        found = _END_OF_HEAD(buffer, self._scanned)
        self._check_size(found.end() if found is not None else len(buffer))
        if found is None:
            self._scanned = max(self._start, len(buffer) - _OVERLAP)
            return None
        if found[0] == b"\0":
            raise StompError("malformed_request", "A frame needs an empty line after its headers.")
        command, headers = self._parse_head(bytes(buffer[self._start : found.start()]))
        self._scanned = found.end()
        return command, headers, found.end()

    def _parse_head(self, head: bytes) -> tuple[str, dict[str, str]]:
        if head.count(b"\n") > HEADERS:
            raise StompError("too_large", f"A frame has at most {HEADERS} headers. Send fewer.")
        first, *lines = head.split(b"\n")
        first = first.removesuffix(b"\r")
        if not _COMMAND(first):
            raise StompError(
                "malformed_request",
                "A frame begins with a command in capital letters. Speak STOMP 1.0, 1.1 or 1.2 here.",
            )
        command = first.decode()
        version: Version = "1.0" if command in UNESCAPED else self.version
        headers: dict[str, str] = {}
        for line in lines:
            name, value = _parse_header(line.removesuffix(b"\r"), version)
            headers.setdefault(name, value)
        return command, headers

    def _end_of_body(self, headers: dict[str, str], start: int) -> int | None:
        """The index of the NUL after the body; None when it has not arrived."""
        buffer = self._buffer
        length = headers.get("content-length")
        if length is None:
            end = buffer.find(b"\0", self._scanned)
            self._check_size(end + 1 if end >= 0 else len(buffer))
            self._scanned = len(buffer)
            return end if end >= 0 else None
        if not _LENGTH(length):
            raise StompError("malformed_request", "content-length is the number of the body's bytes.")
        end = start + int(length)
        self._check_size(end + 1)
        if len(buffer) <= end:
            return None
        if buffer[end]:
            raise StompError(
                "malformed_request",
                "There is no NUL after the body. Correct content-length, or leave it out.",
            )
        return end

    def _check_size(self, end: int) -> None:
        if end - self._start > self._frame_bytes:
            raise StompError(
                "too_large", f"A frame has at most {self._frame_bytes:,} bytes. Send less at once."
            )


def _parse_header(line: bytes, version: Version) -> tuple[str, str]:
    try:
        name, colon, value = line.decode().partition(":")
    except UnicodeDecodeError:
        raise StompError("malformed_request", "Headers are UTF-8. Encode them so.") from None
    if not colon or not name:
        raise StompError("malformed_request", "Each header is a line of the form name:value.")
    if version == "1.0":
        # Its clients may write a blank after the colon.
        return name.strip(" "), value.strip(" ")
    return unescaped(name, version), unescaped(value, version)
