"""Topics by REST: sending, reading, lists, and tokens that allow some of them."""

import base64
import json
from typing import Any

import httpx
import pytest

from tests.api.conftest import Bearer
from tests.support.rest import walk

NAMES = ["news", "news/notifications", "news/sport", "news/sport/log", "a:b@c/d|e=f~g", "x" * 200]


async def send(api: httpx.AsyncClient, headers: dict[str, str], *topics: str, **fields: Any) -> str:
    body = {"to": {"topics": topics}, "title": "x", **fields}
    answer = await api.post("/v1/notifications", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


def path_of(topic: str) -> str:
    return "/v1/topics/" + topic.replace("/", "%2F").replace("|", "%7C")


@pytest.mark.parametrize("topic", NAMES)
async def test_a_topic_is_found_by_its_encoded_name(
    api: httpx.AsyncClient, bearer: Bearer, topic: str
) -> None:
    """A topic and its history have an address, also where the name has slashes or the words of a route."""
    headers = bearer("send read")
    for title in ("one", "two"):
        await send(api, headers, topic, title=title)
    answer = await api.get(path_of(topic), headers=headers)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found.pop("created_at").endswith("Z")
    assert found == {"topic": topic, "position": 2, "subscribers": 0}
    pages = await walk(api, path_of(topic) + "/notifications", headers, 1)
    items = [item for page in pages for item in page]
    assert [(item["log"], item["position"], item["notification"]["title"]) for item in items] == [
        (f"topic:{topic}", 2, "two"),
        (f"topic:{topic}", 1, "one"),
    ]
    lower = path_of(topic).replace("%2F", "%2f")
    assert (await api.get(lower, headers=headers)).json()["topic"] == topic


async def test_status_and_receipts(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """A send to topics is stored when it is answered, with receipts that count connections."""
    headers = bearer("send read")
    path = ""
    for topics in (["news"], ["news", "news/sport", "talk"]):
        path = await send(api, headers, *topics)
        found = (await api.get(path, headers=headers)).json()
        assert (found["status"], found["to"]) == ("stored", {"topics": topics})
        assert found["receipts"] == {"recipients": None, "delivered": 0, "seen": 0, "read": 0, "actions": {}}
        answer = await api.get(path + "/receipts", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    sent = (await api.get("/v1/notifications", headers=headers)).json()["items"]
    assert [each["to"]["topics"] for each in sent] == [["news", "news/sport", "talk"], ["news"]]
    assert (await api.delete(path, headers=headers)).status_code == 204
    assert (await api.get(path, headers=headers)).json()["status"] == "recalled"
    assert (await api.get("/v1/topics/talk/notifications", headers=headers)).json()["items"] == []


@pytest.mark.parametrize(
    ("to", "pointer"),
    [
        ({"topics": ["a"], "users": ["ana"]}, "#/to/topics"),
        ({"topics": ["a"], "groups": ["team"]}, "#/to/topics"),
        ({"topics": ["a"], "all": True}, "#/to/topics"),
        ({"topics": ["a"], "exclude": ["ana"]}, "#/to/topics"),
        ({"topics": []}, "#/to"),
        ({"topics": ["a", "b/../c"]}, "#/to/topics/1"),
        ({"topics": ["a", "*"]}, "#/to/topics/1"),
        ({"topics": [f"t{number}" for number in range(101)]}, "#/to/topics"),
        ({"topics": "a"}, "#/to/topics"),
    ],
)
async def test_bad_targets(api: httpx.AsyncClient, bearer: Bearer, to: dict[str, Any], pointer: str) -> None:
    """Topics stand alone, at most 100 of them, each with a valid name; the pointer names the fault."""
    body = {"to": to, "title": "x"}
    answer = await api.post("/v1/notifications", json=body, headers=bearer("send"))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_the_list(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """Topics are listed by name, from a prefix, and apart from those of another tenant."""
    headers, other = bearer("send read"), bearer("send read", tenant="other")
    for topic in NAMES:
        await send(api, headers, topic)
    await send(api, other, "news/theirs")
    pages = await walk(api, "/v1/topics", headers, 2)
    assert [item["topic"] for page in pages for item in page] == sorted(NAMES)
    pages = await walk(api, "/v1/topics", headers, 2, {"prefix": "news/"})
    assert [item["topic"] for page in pages for item in page] == NAMES[1:4]
    assert (await api.get(path_of("news/theirs"), headers=headers)).status_code == 404
    assert (await api.get("/v1/topics?prefix=zzz", headers=headers)).json()["items"] == []


async def test_reading_needs_its_scope(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """A token without `read` reads no topic."""
    for path in ("/v1/topics", "/v1/topics/news", "/v1/topics/news/notifications"):
        answer = await api.get(path, headers=bearer("send inbox", topics=["**"]))
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


async def test_tokens_with_topics(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """A token has the patterns that were asked for, within those of the caller, and no others."""

    async def ask(headers: dict[str, str], **body: Any) -> httpx.Response:
        return await api.post("/v1/tokens", json={"user": "bob", **body}, headers=headers)

    free = bearer("tokens")
    answer = await ask(free, topics=["news/**", "user/{sub}"], publish=[])
    assert answer.status_code == 201, answer.text
    claims = claims_of(answer.json()["token"])
    assert (claims["topics"], claims["publish"]) == (["news/**", "user/{sub}"], [])
    claims = claims_of((await ask(free)).json()["token"])
    assert not {"topics", "publish"} & set(claims)

    bound = bearer("tokens", subject="ana", topics=["news/*", "user/{sub}"], publish=["talk"])
    assert (await ask(bound, topics=["news/sport", "user/ana"], publish=["talk"])).status_code == 201
    assert (await ask(bound)).status_code == 201
    answer = await ask(bound, topics=["news/sport", "news/**", "user/{sub}"], publish=["talk", "*"])
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (403, "insufficient_scope")
    assert [each["pointer"] for each in problem["errors"]] == ["#/topics/1", "#/topics/2", "#/publish/1"]
    for wrong in (["a/../b"], ["a*"], [""], ["a"] * 51, "a"):
        answer = await ask(free, topics=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        assert answer.json()["errors"][0]["pointer"].startswith("#/topics")


@pytest.mark.parametrize("patterns", [["a/../b"], ["**/a"], ["a"] * 51, [1]])
async def test_a_token_with_a_bad_pattern_is_refused(
    api: httpx.AsyncClient, bearer: Bearer, patterns: Any
) -> None:
    """A claim that is not a list of at most fifty patterns makes the token invalid."""
    for claim in ("topics", "publish"):
        answer = await api.get("/v1/topics", headers=bearer("read", **{claim: patterns}))
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
        assert claim in answer.json()["detail"]
