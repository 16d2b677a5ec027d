"""Error texts name every fault, and what to do."""

from typing import Any

import httpx
import pytest
from litestar.exceptions import ClientException, ValidationException

from tests.api.conftest import Bearer
from tidings.protocol.faults import MOST_FAULTS
from tidings_api.problems import problem_of
from tidings_workers.refused import Refused
from tidings_workers.store.content import PostedNotification
from tidings_workers.strict_json import BodyDecoder

_decoder = BodyDecoder(PostedNotification)


def faults(body: bytes) -> dict[str, str]:
    with pytest.raises(Refused) as caught:
        _decoder.decode(body)
    assert ".." not in caught.value.detail
    return {fault.pointer: fault.detail for fault in caught.value.errors}


def detail(body: bytes) -> str:
    with pytest.raises(Refused) as caught:
        _decoder.decode(body)
    assert caught.value.code == "malformed_json"
    return caught.value.detail


def test_all_faults_are_answered_at_once() -> None:
    """An answer has every fault with its pointer and rule, and the right name of a misspelt field."""
    body = b"""{"to": {"users": ["a b", "ana", "c d"], "all": 1}, "priority": "max", "titel": "x",
        "colour": 1, "expires_in": 0, "actions": [{"id": "a"}], "link": "ftp://x"}"""
    found = faults(body)
    assert set(found) == {
        *("#/to/users/0", "#/to/users/2", "#/to/all", "#/priority", "#/titel", "#/colour", "#/expires_in"),
        *("#/actions/0/label", "#/link"),
    }
    assert found["#/priority"] == "This must be one of low, normal, high, urgent."
    assert found["#/titel"] == "There is no such field here. Did you mean title?"
    assert found["#/colour"].startswith("There is no such field here. The fields are to, category, title,")
    assert found["#/actions/0/label"] == "The field label is required."


def test_faults_are_answered_up_to_a_limit() -> None:
    """An answer has at most twenty of a thousand faults."""
    users = b",".join([b'"a b"'] * 1000)
    assert len(faults(b'{"to":{"users":[%b]}}' % users)) == MOST_FAULTS


@pytest.mark.parametrize(
    "body",
    [
        rb'{"title":"\ud83d"}',
        rb'{"title":"\ud83d and more text"}',
        rb'{"title":"\ud83d\u0041"}',
        rb'{"title":"\ude00"}',
        rb'{"to":{"users":["ana"]},"data":{"\ud83d":1}}',
    ],
)
def test_a_lone_surrogate_is_named(body: bytes) -> None:
    """The error for half of an escaped pair names the surrogate and not a cut-off body."""
    assert "lone surrogate" in detail(body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"title":"x', "it ends too early"),
        (rb'{"title":"\ud83d\ude00', "it ends too early"),
        (b'{"title":"\xff"}', "it is not valid UTF-8"),
        (b"?", "invalid character (byte 0)"),
    ],
)
def test_a_malformed_body_is_explained(body: bytes, words: str) -> None:
    """The detail says in plain words why the body is not JSON."""
    assert detail(body) == f"The body is not JSON: {words}."


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/v1/groups", "has /v1 twice"),
        ("/v2/groups", "The path of this URL does not exist"),
        ("/v1/groups/", "The path of this URL does not exist"),
        (
            "/v1/users/ana/notifications?state=lost",
            "state: This must be one of unseen, seen, unread, read, archived, snoozed.",
        ),
        ("/v1/users/ana/notifications?counts=log", "query parameter counts: This must be category."),
    ],
)
async def test_a_wrong_url_differs_from_a_wrong_id(
    api: httpx.AsyncClient, bearer: Bearer, path: str, words: str
) -> None:
    """The error names a path that does not exist, or the allowed values of a parameter."""
    answer = await api.get(path, headers=bearer("read"))
    assert words in answer.json()["detail"]
    assert ".." not in answer.json()["detail"]


def test_no_detail_ends_in_two_full_stops() -> None:
    """A detail from Litestar ends with exactly one full stop."""
    errors: list[Any] = [ClientException("No."), ClientException("No"), ValidationException("No.")]
    assert {problem_of(error, "x")[0].detail for error in errors} == {"No."}
