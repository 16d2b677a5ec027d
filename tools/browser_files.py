"""Copies files of `sdk/browser` into the API's package, or compares them: the build, and libraries.

The build is there twice: as files for pages, and packed as npm does.

The copies are tracked, so that a server is installed without Node; `--check` finds outdated ones.
"""

import argparse
import gzip
import io
import json
import sys
import tarfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
SOURCES: Final = ROOT / "sdk" / "browser"
BUILT: Final = SOURCES / "dist"
LIBRARIES: Final = SOURCES / "node_modules"
PACKAGE: Final = ROOT / "api" / "tidings_api"
STATIC: Final = PACKAGE / "static"
SPRING: Final = PACKAGE / "spring" / "libraries"
# The served name, and the name in the build.
SERVED: Final = {
    "widget.js": "tidings.js",
    "widget.mjs": "widget.mjs",
    "parts.mjs": "parts.mjs",
    "words.mjs": "words.mjs",
    "toasts.mjs": "toasts.mjs",
    "alerts.mjs": "alerts.mjs",
    "advice.mjs": "advice.mjs",
    "extras.mjs": "extras.mjs",
    "groups.mjs": "groups.mjs",
    "snoozes.mjs": "snoozes.mjs",
    "topics.mjs": "topics.mjs",
    "fallback.mjs": "fallback.mjs",
    "tidings.mjs": "tidings.mjs",
}
# The copy, and its source.
FILES: Final = {
    **{STATIC / name: BUILT / built for name, built in SERVED.items()},
    SPRING / "stomp.min.js": LIBRARIES / "stompjs" / "lib" / "stomp.min.js",
    SPRING / "stomp.LICENSE.txt": LIBRARIES / "stompjs" / "LICENSE.txt",
    SPRING / "sockjs.min.js": LIBRARIES / "sockjs-client-15" / "dist" / "sockjs.min.js",
    SPRING / "sockjs.LICENSE.txt": LIBRARIES / "sockjs-client-15" / "LICENSE",
}


# The npm package, which a server serves beside the script.
PACKED: Final = STATIC / "tidings.tgz"


def main() -> int:
    """Copy the files, and pack the npm package. With --check compare; the exit code is 1 for a difference."""
    parser = argparse.ArgumentParser(prog="python tools/browser_files.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of copying")
    check = parser.parse_args().check
    stale = [copy for copy, source in FILES.items() if not _same(copy, source)]
    for copy in stale:
        if check:
            sys.stderr.write(f"{copy.relative_to(ROOT)} differs from its sources: run make browser\n")
        else:
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(FILES[copy].read_bytes())
    if _unpacked() != (members := _members()):
        stale.append(PACKED)
        if check:
            sys.stderr.write(f"{PACKED.relative_to(ROOT)} differs from its sources: run make browser\n")
        else:
            PACKED.write_bytes(_packed(members))
    return 1 if check and stale else 0


def _members() -> dict[str, bytes]:
    """The files that `npm pack` takes, by their names in the package."""
    listed: list[str] = json.loads((SOURCES / "package.json").read_bytes())["files"]
    roots = [SOURCES / name for name in ("package.json", *listed)]
    found = [file for root in roots for file in (root.rglob("*") if root.is_dir() else [root])]
    return {
        f"package/{file.relative_to(SOURCES).as_posix()}": file.read_bytes()
        for file in sorted(found)
        if file.is_file()
    }


def _packed(members: dict[str, bytes]) -> bytes:
    """The archive. It holds no times and no owners, so that the same files make the same archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def _unpacked() -> dict[str, bytes]:
    """The files in the archive: their contents are compared, because libraries compress differently."""
    if not PACKED.is_file():
        return {}
    with tarfile.open(PACKED) as archive:
        files = [(member.name, archive.extractfile(member)) for member in archive]
        return {name: file.read() for name, file in files if file}


def _same(copy: Path, source: Path) -> bool:
    return copy.is_file() and copy.read_bytes() == source.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
