"""CORS: the origins that may call the API, and those that may read an answer."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.api.conftest import Bearer
from tests.support.sending import eventually
from tidings_workers.registry import Registry

SHOP = "https://shop.example"
ELSEWHERE = "https://elsewhere.example"
ALLOWED = "access-control-allow-origin"


def preflight(
    api: httpx.AsyncClient, origin: str, path: str = "/v1/notifications"
) -> Awaitable[httpx.Response]:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type",
    }
    return api.options(path, headers=headers)


@pytest.fixture
async def admitted(api: httpx.AsyncClient) -> Callable[..., Awaitable[None]]:
    """A function that waits until the API has applied a change of the lists."""

    async def until(origin: str, headers: dict[str, str], *, expected: bool) -> None:
        async def allowed() -> bool:
            answer = await api.get("/v1/groups", headers={**headers, "origin": origin})
            return ALLOWED in answer.headers

        await eventually(allowed, expected=expected)

    return until


async def test_without_a_list_any_page_may_read(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """Without a list an answer names the page's origin, never `*`, and allows no credentials."""
    answer = await api.get("/v1/groups", headers={**bearer("read"), "origin": SHOP})
    assert answer.headers[ALLOWED] == SHOP
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers
    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    assert {"ETag", "Location", "Retry-After", "RateLimit", "X-Request-Id"} <= exposed


@pytest.mark.parametrize("path", ["/v1/groups", "/v1/notifications"])
async def test_a_list_decides_which_origins_may_read(
    api: httpx.AsyncClient,
    bearer: Bearer,
    registry: Registry,
    admitted: Callable[..., Awaitable[None]],
    path: str,
) -> None:
    """A page reads an answer of any kind only with a token of a tenant that lists its origin."""
    await registry.update_tenant("demo", origins=[SHOP])
    await registry.update_tenant("other", origins=[ELSEWHERE])
    await admitted(ELSEWHERE, bearer("read"), expected=False)
    body = {"json": {"to": {"users": ["ana"]}, "title": "x"}} if path == "/v1/notifications" else {}
    for tenant, origin, expected in (
        ("demo", SHOP, SHOP),
        ("demo", ELSEWHERE, None),
        ("other", SHOP, None),
        ("other", ELSEWHERE, ELSEWHERE),
    ):
        for scope in ("read send", "users"):  # the second is refused, with a 403 of the same tenant
            answer = await api.request(
                "POST" if body else "GET",
                path,
                headers={**bearer(scope, tenant=tenant), "origin": origin},
                **body,  # type: ignore[arg-type]
            )
            assert answer.status_code in ({200, 202} if "read" in scope else {403})
            assert answer.headers.get(ALLOWED) == expected, (tenant, origin, scope)


async def test_a_preflight_allows_the_origins_of_every_tenant(
    api: httpx.AsyncClient, bearer: Bearer, registry: Registry, admitted: Callable[..., Awaitable[None]]
) -> None:
    """A preflight has no token, so it allows each origin that at least one tenant allows."""
    answer = await preflight(api, ELSEWHERE)
    assert (answer.status_code, answer.headers[ALLOWED], answer.content) == (204, ELSEWHERE, b"")
    assert {"GET", "POST", "PUT", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    asked = {"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match"}
    assert asked <= set(answer.headers["access-control-allow-headers"].split(", "))
    assert answer.headers["x-request-id"]
    await registry.update_tenant("demo", origins=[SHOP])
    await registry.update_tenant("other", origins=[ELSEWHERE])
    await admitted(ELSEWHERE, bearer("read"), expected=False)
    for origin in (SHOP, ELSEWHERE):
        assert (await preflight(api, origin)).headers[ALLOWED] == origin
    refused = await preflight(api, "https://evil.example")
    assert (refused.status_code, ALLOWED in refused.headers) == (204, False)


async def test_a_page_can_read_a_401(api: httpx.AsyncClient) -> None:
    """A page can read a 401, so that it can distinguish an expired token from a lost network."""
    answer = await api.get("/v1/me/notifications", headers={"origin": SHOP, "authorization": "Bearer x"})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert answer.headers[ALLOWED] == SHOP


async def test_requests_without_one_origin_get_no_cors_headers(
    api: httpx.AsyncClient, bearer: Bearer
) -> None:
    """A request without an origin, or with two, gets no CORS headers except Vary."""
    answer = await api.get("/v1/groups", headers=bearer("read"))
    assert (ALLOWED in answer.headers, answer.headers["vary"]) == (False, "Origin")
    pairs = [("origin", SHOP), ("origin", ELSEWHERE), *bearer("read").items()]
    assert ALLOWED not in (await api.get("/v1/groups", headers=pairs)).headers
    plain = await api.options("/v1/groups", headers={"origin": SHOP})
    assert (plain.status_code, "access-control-allow-methods" in plain.headers) == (204, False)
