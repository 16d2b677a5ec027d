"""The upstream of a tenant by REST: set, read and removed, and its refusals."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import Bearer
from tidings_workers import standard_webhooks
from tidings_workers.registry import Registry

PATH = "/v1/upstream"
URL = "https://shop.example/tidings"
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


async def test_set_get_remove(api: httpx.AsyncClient, bearer: Bearer, registry: Registry) -> None:
    """The secret is in the answer of PUT alone, and another tenant has no upstream."""
    headers = bearer("tenant")
    assert (await api.get(PATH, headers=headers)).json()["code"] == "not_found"
    answer = await api.put(PATH, json={"url": URL}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json()
    assert made["url"] == URL
    assert standard_webhooks.is_secret(made["secret"])
    assert (await api.get(PATH, headers=headers)).json() == {"url": URL}
    again = (await api.put(PATH, json={"url": URL}, headers=headers)).json()
    assert again["secret"] != made["secret"]
    own = (await api.put(PATH, json={"url": URL + "/2", "secret": SECRET}, headers=headers)).json()
    assert own == {"url": URL + "/2", "secret": SECRET}
    stored = await registry.tenant("demo")
    assert stored is not None
    assert stored.upstream is not None
    assert stored.upstream.secret == SECRET
    assert SECRET not in repr(stored)
    assert (await api.get(PATH, headers=bearer("tenant", tenant="other"))).status_code == 404
    for _ in range(2):
        assert (await api.delete(PATH, headers=headers)).status_code == 204
    assert (await api.get(PATH, headers=headers)).status_code == 404


INVALID: list[tuple[Any, str]] = [
    ({}, "#/url"),
    ({"url": 5}, "#/url"),
    ({"url": ""}, "#/url"),
    ({"url": "ftp://shop.example/"}, "#/url"),
    ({"url": "https://user:pass@shop.example/"}, "#/url"),
    ({"url": "https://shop.example/#x"}, "#/url"),
    ({"url": "https://" + "x" * 3000}, "#/url"),
    ({"url": "http://127.0.0.1:9000/"}, "#/url"),
    ({"url": "http://[::1]/"}, "#/url"),
    ({"url": "http://169.254.169.254/latest"}, "#/url"),
    ({"url": URL, "secret": "x"}, "#/secret"),
    ({"url": URL, "secret": "whsec_AAAA"}, "#/secret"),
    ({"url": URL, "secret": "whsec_" + "A" * 100}, "#/secret"),
    ({"url": URL, "name": "x"}, "#/name"),
]


@pytest.mark.parametrize(("body", "pointer"), INVALID)
async def test_refused(api: httpx.AsyncClient, bearer: Bearer, body: Any, pointer: str) -> None:
    """A URL or a secret that cannot be used is refused with its pointer, and nothing is set."""
    answer = await api.put(PATH, json=body, headers=bearer("tenant"))
    assert answer.status_code == 422, answer.text
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert (await api.get(PATH, headers=bearer("tenant"))).status_code == 404
