"""The curves of costs: measured by the real server, written as JSON, drawn as SVG."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench.curves.curve import Curve, Point
from bench.curves.plot import svg
from tests.support.tree import ROOT

CURVE = Curve(
    "groups",
    "Groups <of> a user",
    "groups",
    "µs of CPU",
    {"counts": [Point(0, 900), Point(1_000, 8_000.5)], "first page": [Point(0, 1_500), Point(1_000, 20_000)]},
)


def drawn() -> ET.Element:
    return ET.fromstring(svg(CURVE))  # noqa: S314 - a picture of our own


def test_every_point_is_drawn_inside_the_picture() -> None:
    """A picture is well-formed, and has each point and each line inside its frame, also a size of zero."""
    picture = drawn()
    _, _, width, height = map(float, picture.attrib["viewBox"].split())
    circles = [each for each in picture.iter() if each.tag.endswith("circle")]
    points = sum(map(len, CURVE.lines.values()))
    assert len(circles) == points + len(CURVE.lines)
    assert all(0 < float(each.attrib["cx"]) < width for each in circles)
    assert all(0 < float(each.attrib["cy"]) < height for each in circles)
    texts = [each.text for each in picture.iter() if each.tag.endswith("text")]
    assert {"counts", "first page", "Groups <of> a user: µs of CPU"} <= set(texts)


def test_a_dearer_unit_is_higher() -> None:
    """Of two points at the same size, the dearer one is above the other."""
    picture = drawn()
    circles = [each for each in picture.iter() if each.tag.endswith("circle")]
    by_class: dict[str, list[float]] = {}
    for each in circles:
        by_class.setdefault(each.attrib["class"], []).append(float(each.attrib["cy"]))
    assert by_class["c1"][1] < by_class["c0"][1]


@pytest.mark.timeout(180)  # a server starts and stops
def test_a_curve_is_measured_and_written(tmp_path: Path) -> None:
    """A quick run of a curve writes its picture, and its points with the facts of the machine."""
    command = [sys.executable, "-m", "bench.curves", "payload", "--quick", "--output", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=150)
    written: dict[str, Any] = json.loads((tmp_path / "payload.json").read_text())
    assert written["machine"]["cores"] >= 1
    for points in written["curve"]["lines"].values():
        assert [point["size"] for point in points] == [100, 1000]
        assert all(point["value"] > 0 for point in points)
    assert (tmp_path / "payload.svg").read_text().startswith("<svg")
