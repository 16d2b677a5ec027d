"""The lists of the documents are those of the protocol, complete and without extras."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest

from tests.docs.documents import rows
from tests.support.tree import ROOT
from tidings.protocol import frames, limits
from tidings.protocol.closing import CLOSE_CODES, Verdict
from tidings.protocol.errors import ERRORS
from tidings.protocol.notifications import Durability, Status
from tidings_workers.registry import SCOPES

SENDING = ROOT / "docs" / "sending.md"
REALTIME = ROOT / "docs" / "realtime.md"

# The documented texts of a client's reaction to a close.
VERDICTS = {
    "no": Verdict.STAY_AWAY,
    "no, or with another token": Verdict.STAY_AWAY,
    "later, with jitter": Verdict.LATER,
    "with a new token": Verdict.REFRESH,
    "now": Verdict.NOW,
}


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_error_code_is_explained() -> None:
    """The table of errors has each error code once, with its HTTP status."""
    listed = [
        (int(status), *names(code)) for status, code, _ in rows([SENDING], "status", "code", "what to do")
    ]
    assert sorted(listed) == sorted((error.status, error.code) for error in ERRORS.values())


def test_every_limit_is_listed() -> None:
    """The tables of the two protocols have each limit once, with its value."""
    listed = [
        (names(name)[0], int(re.match(r"[\d,]+", value)[0].replace(",", "")))  # type: ignore[index]
        for name, value in rows([SENDING, REALTIME], "limit", "")
    ]
    defined = [(name, value) for name, value in vars(limits).items() if name.isupper()]
    assert sorted(listed) == sorted(defined)


def test_every_close_code_is_listed() -> None:
    """The table of close codes has each code once, with its verdict."""
    listed = [
        (int(code), VERDICTS[verdict])
        for codes, _, verdict in rows([REALTIME], "code", "meaning", "come back")
        for code in codes.split(", ")
    ]
    assert sorted(listed, key=lambda pair: pair[0]) == sorted(
        ((close.code, close.verdict) for close in CLOSE_CODES.values()), key=lambda pair: pair[0]
    )


def test_every_route_is_listed() -> None:
    """The table of routes has each route once, with its scope."""
    document = json.loads((ROOT / "openapi" / "openapi.json").read_text())
    methods = ("get", "post", "put", "delete", "patch")
    defined = [
        (
            f"{method.upper()} {path}",
            [scope for way in path_item[method]["security"] for scope in way.get("token", ())],
        )
        for path, path_item in document["paths"].items()
        for method in methods
        if method in path_item
    ]
    listed = [
        (names(route)[0], names(scope)) for route, scope, _ in rows([SENDING], "request", "scope", "answer")
    ]
    assert sorted(listed) == sorted(defined)


@pytest.mark.parametrize(
    ("document", "head", "defined"),
    [
        (SENDING, ("scope", "allows"), SCOPES),
        (SENDING, ("status", "means"), get_args(Status)),
        (SENDING, ("durability", "the 202 means", "what can lose it"), get_args(Durability)),
        (
            REALTIME,
            ("type", "fields"),
            [frame.__struct_config__.tag for frame in (*frames.CLIENT_FRAMES, *frames.SERVER_FRAMES)],
        ),
    ],
)
def test_every_word_is_explained(document: Path, head: Sequence[str], defined: Sequence[str]) -> None:
    """The first column of its table has each word of the wire once."""
    assert sorted(name for row in rows([document], *head) for name in names(row[0])) == sorted(defined)
