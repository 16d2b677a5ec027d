"""Authentication and scopes, and the headers of every answer."""

import asyncio
import re
import time

import httpx
import jwt
import pytest
from litestar import Litestar, get
from litestar.exceptions import ImproperlyConfiguredException
from litestar.routes import HTTPRoute

from tests.api.conftest import Bearer
from tidings_api.app import create_app
from tidings_api.authorisation import PUBLIC, needs, refuse_undeclared
from tidings_api.routes import docs
from tidings_api.services import Services
from tidings_workers.config import Settings
from tidings_workers.registry import Registry

SCOPES = ("send", "read", "groups", "users", "tokens", "tenant", "webhooks", "events", "inbox")
NEEDS = {
    ("POST", "/v1/notifications"): "send",
    ("POST", "/v1/notifications/batch"): "send",
    ("GET", "/v1/export/notifications"): "read",
    ("GET", "/v1/notifications"): "read",
    ("GET", "/v1/notifications/x"): "read",
    ("GET", "/v1/notifications/x/receipts"): "read",
    ("DELETE", "/v1/notifications/x"): "send",
    ("GET", "/v1/groups"): "read",
    ("GET", "/v1/groups/g"): "read",
    ("DELETE", "/v1/groups/g"): "groups",
    ("GET", "/v1/groups/g/members"): "read",
    ("POST", "/v1/groups/g/members"): "groups",
    ("PUT", "/v1/groups/g/members/ana"): "groups",
    ("DELETE", "/v1/groups/g/members/ana"): "groups",
    ("GET", "/v1/users/ana/groups"): "read",
    ("GET", "/v1/users/ana/notifications"): "read",
    ("GET", "/v1/me/notifications"): "inbox",
    ("GET", "/v1/events"): "events",
    ("POST", "/v1/events/ack"): "events",
    ("POST", "/v1/users/ana/notifications/mark"): "users",
    ("POST", "/v1/me/notifications/mark"): "inbox",
    ("POST", "/v1/users/ana/notifications/snooze"): "users",
    ("POST", "/v1/me/notifications/snooze"): "inbox",
    ("POST", "/v1/users/ana/notifications/x/actions/yes"): "users",
    ("POST", "/v1/me/notifications/x/actions/yes"): "inbox",
    ("GET", "/v1/users/ana/presence"): "read",
    ("DELETE", "/v1/users/ana/connections"): "users",
    ("DELETE", "/v1/connections/c"): "users",
    ("DELETE", "/v1/users/ana"): "users",
    ("POST", "/v1/tokens"): "tokens",
    ("GET", "/v1/realtime"): "send",
    ("POST", "/v1/realtime/tickets"): "inbox",
    ("POST", "/v1/me/ack"): "inbox",
    ("GET", "/v1/topics"): "read",
    ("GET", "/v1/topics/t"): "read",
    ("GET", "/v1/topics/t/notifications"): "read",
    ("PUT", "/v1/upstream"): "tenant",
    ("GET", "/v1/upstream"): "tenant",
    ("DELETE", "/v1/upstream"): "tenant",
    ("POST", "/v1/webhooks"): "webhooks",
    ("GET", "/v1/webhooks"): "webhooks",
    ("GET", "/v1/webhooks/w"): "webhooks",
    ("PATCH", "/v1/webhooks/w"): "webhooks",
    ("DELETE", "/v1/webhooks/w"): "webhooks",
    ("POST", "/v1/webhooks/w/rotate"): "webhooks",
    ("POST", "/v1/webhooks/w/test"): "webhooks",
    ("GET", "/v1/webhooks/w/deliveries"): "webhooks",
    ("POST", "/v1/webhooks/w/deliveries/d/retry"): "webhooks",
    ("POST", "/v1/webhooks/w/replay"): "webhooks",
}


def test_every_route_is_in_the_table() -> None:
    """The table of scopes names every route that is not public."""
    app = create_app(Services(Settings()))
    examples = {
        "notification": "x",
        "group": "g",
        "user": "ana",
        "connection_id": "c",
        "topic": "t",
        "action": "yes",
        "webhook": "w",
        "delivery": "d",
    }
    guarded = {
        (method, route.path_format.format(**examples))
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != "OPTIONS" and handler.opt.get("scope") is not None
    }
    assert guarded == set(NEEDS)


def test_a_route_without_a_scope_stops_the_start() -> None:
    """The application does not start when a route declares no scope, or an unknown one."""

    @get("/forgotten")
    async def forgotten() -> None:
        return None

    with pytest.raises(ImproperlyConfiguredException, match="forgotten"):
        refuse_undeclared(Litestar([docs.routes, forgotten], openapi_config=None))
    with pytest.raises(ImproperlyConfiguredException, match="root"):
        needs("root")
    assert PUBLIC["scope"] is None


@pytest.mark.parametrize(("method", "path"), NEEDS)
async def test_a_route_takes_its_scope_and_no_other(
    api: httpx.AsyncClient, bearer: Bearer, method: str, path: str
) -> None:
    """A route answers 401 without a token, 403 with all other scopes, and neither with its own scope."""
    needed = NEEDS[method, path]
    if path == "/v1/events":
        path += "?wait=0"  # Otherwise the answer waits for events.
    without = await api.request(method, path)
    assert (without.status_code, without.json()["code"]) == (401, "missing_token")
    assert without.headers["www-authenticate"] == 'Bearer realm="tidings"'
    others = bearer(" ".join(scope for scope in SCOPES if scope != needed))
    refused = await api.request(method, path, headers=others)
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert f'scope="{needed}"' in refused.headers["www-authenticate"]
    assert (await api.request(method, path, headers=bearer(needed))).status_code not in {401, 403}


async def test_an_invalid_token_is_a_401(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """A wrong, expired, repeated or non-Bearer token gets a 401 with its code and a challenge."""
    good = bearer("read")["authorization"]
    old = bearer("read", now=time.time() - 7200)["authorization"]
    cases = {
        "invalid_token": [["Bearer x"], ["Basic eDp5"], [good, good], [good + "x"], ["Bearer"]],
        "expired_token": [[old]],
    }
    for code, attempts in cases.items():
        for attempt in attempts:
            headers = [(b"authorization", value.encode("latin-1")) for value in attempt]
            answer = await api.get("/v1/groups", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, code), attempt
            assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_new_key_works_at_once_and_a_revoked_one_is_refused(
    api: httpx.AsyncClient, bearer: Bearer, registry: Registry
) -> None:
    """A key is valid as soon as it exists, and its tokens are refused within 2 s of its revocation."""
    token = bearer("read")
    assert (await api.get("/v1/groups", headers=token)).status_code == 200
    await registry.revoke_key("demo", "k1")
    # On a busy machine the same number of looks takes longer than 2 s.
    answer = await api.get("/v1/groups", headers=token)
    for _ in range(100):
        if answer.status_code != 200:
            break
        await asyncio.sleep(0.02)
        answer = await api.get("/v1/groups", headers=token)
    assert answer.json()["code"] == "invalid_token"
    _, kid, secret = (await registry.create_key("demo")).split(".")
    now = int(time.time())
    claims = {"iss": "demo", "sub": "shop", "aud": "tidings", "iat": now, "exp": now + 60, "scope": "read"}
    fresh = jwt.encode(claims, secret, "HS256", headers={"kid": kid})
    answer = await api.get("/v1/groups", headers={"authorization": f"bearer {fresh}"})
    assert answer.status_code == 200, answer.text


async def test_a_user_token_opens_the_own_inbox_alone(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """A token of POST /v1/tokens reads its user's inbox and nothing else."""
    made = await api.post("/v1/tokens", json={"user": "ana", "expires_in": 60}, headers=bearer("tokens"))
    assert made.status_code == 201, made.text
    assert set(made.json()) == {"token", "expires_at", "realtime_url"}
    assert made.headers["cache-control"] == "no-store"
    await api.post("/v1/notifications", json={"to": {"users": ["ana"]}, "title": "x"}, headers=bearer("send"))
    mine = {"authorization": f"Bearer {made.json()['token']}"}
    inbox = (await api.get("/v1/me/notifications", headers=mine)).json()
    assert [item["notification"]["title"] for item in inbox["items"]] == ["x"]
    assert (await api.get("/v1/users/ana/notifications", headers=mine)).status_code == 403


@pytest.mark.parametrize(
    "body", [{}, {"user": "a b"}, {"user": "a", "expires_in": 86_401}, {"user": "a", "expires_in": 0},
             {"user": "a", "scope": "send"}, {"user": "a", "x": 1}],
)  # fmt: skip
async def test_a_user_token_has_its_bounds(api: httpx.AsyncClient, bearer: Bearer, body: object) -> None:
    """POST /v1/tokens refuses another scope, more than a day, and an invalid user."""
    answer = await api.post("/v1/tokens", json=body, headers=bearer("tokens"))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(("given", "kept"), [("abc-1", True), ("a b", False), ("x" * 129, False)])
async def test_a_valid_request_id_is_echoed(api: httpx.AsyncClient, given: str, kept: bool) -> None:
    """Every answer has a request id: the client's if it is valid, else a new one."""
    answer = await api.get("/health/live", headers={"x-request-id": given})
    assert (answer.headers["x-request-id"] == given) is kept
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_head_and_options_are_answered(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """HEAD answers as GET without the content, and OPTIONS names the methods without a token."""
    got = await api.get("/v1/groups", headers=bearer("read"))
    head = await api.head("/v1/groups", headers=bearer("read"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
    options = await api.options("/v1/groups")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


async def test_the_docs_need_no_other_host(api: httpx.AsyncClient) -> None:
    """/docs is one page under a strict policy, with scripts and styles of this server alone."""
    page = await api.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)='([^']*)'", page.text)
    assert loaded == ["docs/style.css", "docs/page.mjs"]
    assert "POST" in page.text
    assert (await api.get("/docs/style.css")).headers["content-type"].startswith("text/css")
    assert (await api.get("/docs/page.mjs")).headers["content-type"].startswith("text/javascript")
    assert (await api.get("/openapi.json")).json()["openapi"] == "3.1.0"


async def test_a_problems_type_leads_to_its_explanation(api: httpx.AsyncClient) -> None:
    """The `type` of an error redirects to its line in the documentation."""
    problem = (await api.get("/v1/groups")).json()
    answer = await api.get(problem["type"])
    assert (answer.status_code, answer.headers["location"]) == (302, "../docs#error-missing_token")
    assert "id='error-missing_token'" in (await api.get("/docs")).text
    assert (await api.get("/problems/nope")).status_code == 404
