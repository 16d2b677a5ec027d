"""Build the documentation as a site, for `tidings-server dev` to show at `/guide`.

The site has the pages of `docs/` and those outside of it that its index names. The index gives the order of
the pages. A link to a file that is no page becomes text.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
DOCS: Final = ROOT / "docs"
INDEX: Final = DOCS / "README.md"
BUILD: Final = ROOT / "build" / "guide"
# Not tracked: an installed server has no guide.
SITE: Final = ROOT / "api" / "tidings_api" / "demo" / "guide_site"
OTHER_PAGES: Final = {
    ROOT / "CHANGELOG.md": "changelog.md",
    ROOT / "CONTRIBUTING.md": "contributing.md",
    ROOT / "deploy" / "README.md": "production.md",
    ROOT / "sdk" / "README.md": "sdk.md",
    ROOT / "sdk" / "browser" / "README.md": "npm.md",
}

_LINK: Final = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]\n]*)\]\((?P<target>[^)\s]+)\)")
_CODE: Final = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def pages() -> dict[Path, str]:
    """The source of each page, with its path in the site's source."""
    return {path: path.relative_to(DOCS).as_posix() for path in sorted(DOCS.rglob("*.md"))} | OTHER_PAGES


def page(source: Path, known: dict[Path, str]) -> str:
    """The text of a page, with links to the other pages of the site."""

    def link(match: re.Match[str]) -> str:
        target, _, anchor = match["target"].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return match[0]
        path = Path(os.path.normpath(source.parent / target))
        if path in known:
            new = known[path]
        elif path.is_file() and path.is_relative_to(DOCS):
            new = path.relative_to(DOCS).as_posix()
        else:
            return match["text"]
        relative = os.path.relpath(new, Path(known[source]).parent)
        return f"{match['picture']}[{match['text']}]({relative}{anchor and '#' + anchor})"

    parts = _CODE.split(source.read_text())
    return "".join(part if part.startswith("```") else _LINK.sub(link, part) for part in parts)


def navigation(known: dict[Path, str]) -> Iterator[str]:
    """The pages by the headings of the index, as lines of TOML."""
    yield f"{{ {json.dumps('Overview')} = {json.dumps(known[INDEX])} }}"
    heading, found = "", list[str]()
    for line in [*INDEX.read_text().splitlines(), "## "]:
        if line.startswith("## "):
            if found:
                yield f"{{ {json.dumps(heading)} = [{', '.join(found)}] }}"
            heading, found = line.removeprefix("## "), []
        elif match := re.match(r"\| \[(?P<title>[^\]]+)\]\((?P<target>[^)]+\.md)\)", line):
            path = Path(os.path.normpath(INDEX.parent / match["target"]))
            title = match["title"].replace("`", "")
            found.append(f"{{ {json.dumps(title)} = {json.dumps(known[path])} }}")


def build() -> None:
    """Write the sources of the site, then build it. Raises CalledProcessError when a link is broken."""
    known = pages()
    sources = BUILD / "source"
    shutil.rmtree(BUILD, ignore_errors=True)
    shutil.copytree(DOCS, sources)
    for source, name in known.items():
        (sources / name).write_text(page(source, known))
    settings = (ROOT / "tools" / "guide.toml").read_text()
    entries = ",\n    ".join(navigation(known))
    (BUILD / "zensical.toml").write_text(
        settings.replace("[project]\n", f"[project]\nnav = [\n    {entries},\n]\n", 1)
    )
    subprocess.run([sys.executable, "-m", "zensical", "build", "--strict"], cwd=BUILD, check=True)
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.copytree(BUILD / "site", SITE)


if __name__ == "__main__":
    build()
    sys.stderr.write(f"{SITE.relative_to(ROOT)}: `make run` shows it at /guide\n")
