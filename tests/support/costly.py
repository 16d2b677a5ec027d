"""JSON that costs a decoder far more than its length suggests, and a measure of that cost.

Each entry of `VALUES` builds a JSON value of about a given number of bytes. A test puts every value wherever
a decoder reads untrusted bytes, and checks the CPU time per byte.
"""

import time
from collections.abc import Callable
from typing import Final

# CPU microseconds per byte that a decoder may take. A decoder that reads each byte once takes 0.001 to 0.02;
# the slowest numbers of a double take 3.
MOST_PER_BYTE: Final = 0.2

_MEASURES: Final = 10

# Numbers near the limits of a double need exact arithmetic, unless a decoder skips them as text.
SLOW_NUMBERS: Final = (
    "1e308",
    "-1e308",
    "1E+300",
    "1e-320",
    "5e-324",
    "8.98846567431158e307",
    "2.2250738585072014e-308",
    "9007199254740993.5",
)


def _list(item: str) -> Callable[[int], bytes]:
    return lambda size: ("[" + ",".join([item] * max(1, size // (len(item) + 1))) + "]").encode()


def _text(piece: str) -> Callable[[int], bytes]:
    return lambda size: ('"' + piece * max(1, size // len(piece.encode())) + '"').encode()


def _members(size: int) -> bytes:
    return ("{" + ",".join(f'"{number:06}":0' for number in range(max(1, size // 11))) + "}").encode()


def _repeated(size: int) -> bytes:
    return repeated("a", "1e308", size)


def _nested(opening: str, closing: str, levels: int) -> Callable[[int], bytes]:
    def build(size: int) -> bytes:
        one = opening * levels + "0" + closing * levels
        return ("[" + ",".join([one] * max(1, size // (len(one) + 1))) + "]").encode()

    return build


VALUES: Final[dict[str, Callable[[int], bytes]]] = {
    **{f"numbers {number}": _list(number) for number in SLOW_NUMBERS},
    "numbers of many digits": _list("1." + "7" * 400),
    "numbers of many digits near the end": _list("8" * 300 + "e8"),
    "numbers beyond a double": _list("1e400"),
    "whole numbers of 19 digits": _list("9223372036854775807"),
    "whole numbers of 400 digits": _list("9" * 400),
    "one whole number": lambda size: b"9" * size,
    "one fraction": lambda size: b"0." + b"3" * size,
    "one exponent": lambda size: b"1e" + b"0" * (size - 3) + b"1",
    "nested lists": _nested("[", "]", 90),
    "nested objects": _nested('{"a":', "}", 90),
    "lists deeper than any stack": lambda size: b"[" * (size // 2) + b"]" * (size // 2),
    "one long text": _text("x"),
    "escapes": _text("\\n"),
    "escapes of characters": _text("\\u00e9"),
    "escapes of pairs": _text("\\ud83d\\ude00"),
    "characters of four bytes": _text("\N{GRINNING FACE}"),
    "combining characters": _text("e\N{COMBINING ACUTE ACCENT}"),
    "many short texts": _list('""'),
    "many small members": _members,
    "repeated keys": _repeated,
    "one long key": lambda size: b'{"' + b"k" * size + b'":0}',
    "many empty objects": _list("{}"),
    "many literals": _list("null"),
    "blanks": lambda size: b"[" + b" " * size + b"]",
}


def repeated(name: str, value: str, size: int) -> bytes:
    """An object of about `size` bytes that repeats one member."""
    member = f'"{name}":{value}'
    return ("{" + ",".join([member] * max(1, size // (len(member) + 1))) + "}").encode()


def cost_per_byte(run: Callable[[], object], length: int, most: float = MOST_PER_BYTE) -> float:
    """CPU microseconds that `run` takes per byte of its input, on a machine without other work.

    The best of several measures, or the first below `most`. Other work slows the processor by up to a half;
    the duration of a known piece of work shows by how much.
    """
    best = known = float("inf")
    for _ in range(_MEASURES):
        best = min(best, _seconds(run) * 1e6 / length)
        if best < most:
            break
        known = min(known, _seconds(_known_work))
        if best * min(1, _KNOWN_SECONDS / known) < most:
            return best * _KNOWN_SECONDS / known
    return best


# The seconds of `_known_work` on the machine of the bound, without other work.
_KNOWN_SECONDS: Final = 0.0023


def _known_work() -> None:
    texts = {}
    for number in range(20_000):
        texts[number] = str(number)


def _seconds(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started
