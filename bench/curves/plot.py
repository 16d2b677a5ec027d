"""A curve as an SVG: one line per kind of work, both axes logarithmic, legible on light and dark pages."""

import math
from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

from bench.curves.curve import Curve

_WIDTH: Final = 720
_HEIGHT: Final = 400
_LEFT: Final = 76
_RIGHT: Final = 24
_TOP: Final = 84
_BOTTOM: Final = 56
_STYLE: Final = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 16px; font-weight: 600; }
.grid { stroke: #d0d7de; }
.line { fill: none; stroke-width: 2.5; }
.c0 { stroke: #0969da; fill: #0969da; }
.c1 { stroke: #bc4c00; fill: #bc4c00; }
.c2 { stroke: #8250df; fill: #8250df; }
.page { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .grid { stroke: #3d444d; }
  .c0 { stroke: #58a6ff; fill: #58a6ff; } .c1 { stroke: #f0883e; fill: #f0883e; }
  .c2 { stroke: #bc8cff; fill: #bc8cff; }
  .page { fill: #0d1117; }
}
"""


class _Axis:
    """A logarithmic axis between two pixels, in whole decades around its values."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        logs = [math.log10(max(value, 1e-3)) for value in values]
        self.low = math.floor(min(logs) + 1e-9)
        self.high = max(math.ceil(max(logs) - 1e-9), self.low + 1)
        self._start = start
        self._end = end

    def at(self, value: float) -> float:
        """The pixel of a value."""
        share = (math.log10(max(value, 1e-3)) - self.low) / (self.high - self.low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """The pixel and the text of each power of ten."""
        for power in range(self.low, self.high + 1):
            yield self.at(10.0**power), f"{10.0**power:,.0f}" if power >= 0 else f"{10.0**power:g}"


def svg(curve: Curve) -> str:
    """The picture of a curve. A size of 0 is drawn at 1, the start of a logarithmic axis."""
    points = [point for line in curve.lines.values() for point in line]
    across = _Axis([max(point.size, 1) for point in points], _LEFT, _WIDTH - _RIGHT)
    up = _Axis([point.value for point in points], _HEIGHT - _BOTTOM, _TOP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(curve.title)}</title><style>{_STYLE}</style>",
        f'<rect class="page" width="{_WIDTH}" height="{_HEIGHT}"/>',
        f'<text class="title" x="{_LEFT}" y="26">{escape(f"{curve.title}: {curve.unit}")}</text>',
    ]
    for y, text in up.ticks():
        lines.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    for x, text in across.ticks():
        lines.append(f'<path class="grid" d="M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
        lines.append(f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle">{text}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    lines.append(f'<text x="{middle}" y="{_HEIGHT - 12}" text-anchor="middle">{escape(curve.size)}</text>')
    legend = float(_LEFT)
    for number, (name, line) in enumerate(curve.lines.items()):
        color = f"c{number % 3}"
        places = [(across.at(max(point.size, 1)), up.at(point.value)) for point in line]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        lines.append(f'<path class="line {color}" style="fill:none" d="M{path}"/>')
        lines += [f'<circle class="{color}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in places]
        lines.append(f'<circle class="{color}" cx="{legend + 6}" cy="50" r="5"/>')
        lines.append(f'<text x="{legend + 16}" y="54">{escape(name)}</text>')
        legend += 40 + 7.2 * len(name)
    return "\n".join([*lines, "</svg>\n"])
