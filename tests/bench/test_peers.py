"""The picture of a run beside the references."""

from xml.etree import ElementTree as ET

import msgspec
import pytest

from bench.peers import GROUPS, main, svg
from bench.report import Result
from tests.support.tree import ROOT

PUBLISHED = max((ROOT / "bench/results").glob("*.json"))
PICTURE = ROOT / "docs/images/performance/peers.svg"


def test_every_measured_figure_has_a_bar_inside_the_picture() -> None:
    """Each figure of the published run has a bar as long as its cost, and none leaves the frame."""
    result = msgspec.json.decode(PUBLISHED.read_bytes(), type=Result)
    picture = ET.fromstring(svg(result))  # noqa: S314 - a picture of our own
    width = float(picture.attrib["viewBox"].split()[2])
    bars = [each for each in picture.iter() if each.tag.endswith("rect")][1:]
    assert len(bars) == sum(len(figures) for _, figures in GROUPS)
    assert all(0 < float(each.attrib["x"]) + float(each.attrib["width"]) < width for each in bars)


def test_the_document_shows_the_published_run() -> None:
    """docs/images has the picture of the newest published run."""
    assert PICTURE.read_text() == svg(msgspec.json.decode(PUBLISHED.read_bytes(), type=Result))


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Without two paths the program says how it is called."""
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
