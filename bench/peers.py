"""`python -m bench.peers RESULT.json SVG`: CPU time per unit of a run beside the references, as bars."""

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final
from xml.sax.saxutils import escape

import msgspec

from bench import centrifugo, direct, fanout, references, sender
from bench.report import Result

# Per group: its title, and the figures in it by the names in the picture. They are rates per core-second.
GROUPS: Final = (
    (
        "One notification to one user, one per request",
        {
            "Tidings": direct.SINGLE,
            "bare Litestar handler, stores nothing": references.BARE_HANDLER,
            "Centrifugo with Redis": centrifugo.SINGLE,
        },
    ),
    (
        "One notification to one user, 100 per request or over a socket",
        {
            "Tidings, requests": direct.BATCH,
            "Tidings, socket": sender.SENDER,
            "Centrifugo with Redis, requests": centrifugo.BATCH,
        },
    ),
    (
        "One delivery to one of 1,000 sockets, 100 messages a second",
        {
            "Tidings": fanout.STEADY,
            "websockets broadcast()": references.BROADCAST,
            "C loop of send()": references.SEND_LOOP,
        },
    ),
)

_WIDTH: Final = 720
_LEFT: Final = 280
_ROW: Final = 26
_STYLE: Final = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.ours { fill: #0969da; } .other { fill: #8c959f; } .page { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .ours { fill: #58a6ff; } .other { fill: #6e7681; } .page { fill: #0d1117; }
}
"""


def svg(result: Result) -> str:
    """The picture: per group one bar for each figure that was measured, in us of CPU time of all servers."""
    parts, y = [], 30
    for title, figures in GROUPS:
        costs = {
            name: cost for name, figure in figures.items() if (cost := _cost(result, figure)) is not None
        }
        parts.append(f'<text class="title" x="20" y="{y}">{escape(title)}</text>')
        for name, cost in costs.items():
            y += _ROW
            width = cost / max(costs.values()) * (_WIDTH - _LEFT - 90)
            kind = "ours" if name.startswith("Tidings") else "other"
            parts += [
                f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{escape(name)}</text>',
                f'<rect class="{kind}" x="{_LEFT}" y="{y - 8}" width="{width:.1f}" height="16" rx="3"/>',
                f'<text x="{_LEFT + width + 8:.1f}" y="{y + 4}">{cost:.3g} us</text>',
            ]
        y += 2 * _ROW
    title = "CPU time of all servers per notification or delivery: shorter is better"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y - 20}" role="img">',
            f"<title>{title}</title><style>{_STYLE}</style>",
            f'<rect class="page" width="{_WIDTH}" height="{y - 20}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _cost(result: Result, figure: str) -> float | None:
    """The median over rounds, in us of CPU time per unit; None if it was not measured."""
    rates = [taken[figure].value for taken in result.rounds if figure in taken]
    return 1e6 / median(rates) if rates else None


def main(arguments: Sequence[str]) -> int:
    """Write the picture of a result."""
    if len(arguments) != 2:
        print("usage: python -m bench.peers RESULT.json SVG", file=sys.stderr)
        return 2
    source, target = map(Path, arguments)
    target.write_text(svg(msgspec.json.decode(source.read_bytes(), type=Result)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
