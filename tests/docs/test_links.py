"""The links of documents lead to existing places."""

import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from tests.docs.documents import anchors, links, tables
from tests.support.tree import ROOT, tracked


def test_links_lead_somewhere() -> None:
    """Each link between documents names a file or directory of a clone, and an existing heading."""
    files = set(tracked())
    places = files | {str(parent) for name in files for parent in PurePosixPath(name).parents}
    lost = []
    for name in sorted(files):
        if not name.endswith(".md"):
            continue
        for link in links(ROOT / name):
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (ROOT / name).parent / unquote(url.path) if url.path else ROOT / name
            place = str(target.resolve().relative_to(ROOT))
            if place not in places or (url.fragment and url.fragment not in anchors(target)):
                lost.append(f"{name}: {link}")
    assert lost == []


def test_every_document_is_in_the_index() -> None:
    """docs/README.md links to each document of docs, with a sentence about its content."""
    index = ROOT / "docs" / "README.md"
    listed = {
        str((index.parent / match[1]).resolve().relative_to(ROOT))
        for table in tables(index)
        for page, contents in table.rows
        if (match := re.search(r"\]\(([^)]+)\)", page)) and contents.endswith(".")
    }
    assert {name for name in tracked("docs") if name.endswith(".md")} - {"docs/README.md"} - listed == set()
