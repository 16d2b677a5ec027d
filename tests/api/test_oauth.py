"""The client credentials grant of OAuth 2.0: a key and curl are enough."""

import base64
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.api.conftest import Bearer
from tests.support.sending import eventually
from tidings_workers.registry import Key, Registry

PATH = "/v1/oauth/token"
GRANT = {"grant_type": "client_credentials"}
HELLO = {"to": {"users": ["ana"]}, "title": "Hello"}


@pytest.fixture
async def key(registry: Registry) -> Key:
    found = await registry.signing_key("demo")
    assert found is not None
    return found


def basic(name: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


async def test_a_key_gets_a_token_that_sends(api: httpx.AsyncClient, key: Key) -> None:
    """By Basic or by the form a key gets a token for an hour, with its scopes except inbox."""
    form = GRANT | {"client_id": f"demo.{key.kid}", "client_secret": str(key.secret)}
    encoded = "".join(f"%{byte:02X}" for byte in str(key.secret).encode())
    narrow = GRANT | {"scope": "send read"}
    answers = [
        await api.post(PATH, data=form),
        await api.post(PATH, data=GRANT, headers=basic(f"demo.{key.kid}", str(key.secret))),
        await api.post(PATH, data=GRANT, headers=basic(f"demo%2E{key.kid}", encoded)),
        await api.post(PATH, data=narrow, headers=basic(f"demo.{key.kid}", encoded)),
    ]
    tokens = []
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["pragma"] == "no-cache"
        granted = answer.json()
        assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 3600)
        tokens.append({"authorization": f"Bearer {granted['access_token']}"})
        assert (await api.post("/v1/notifications", json=HELLO, headers=tokens[-1])).status_code == 202
        assert (await api.get("/v1/me/notifications", headers=tokens[-1])).status_code == 403
    assert answers[-1].json()["scope"] == "read send"
    joined = [(await api.put("/v1/groups/g/members/u", headers=bearer)).status_code for bearer in tokens]
    assert joined == [204, 204, 204, 403]


async def test_revoking_the_key_revokes_the_token(
    api: httpx.AsyncClient, registry: Registry, key: Key
) -> None:
    """A token from the grant is refused within 2 s of its key's revocation, and the grant refuses the key."""
    client = basic(f"demo.{key.kid}", str(key.secret))
    granted = (await api.post(PATH, data=GRANT, headers=client)).json()
    bearer = {"authorization": f"Bearer {granted['access_token']}"}
    await registry.revoke_key("demo", key.kid)

    async def status() -> int:
        return (await api.get("/v1/groups", headers=bearer)).status_code

    await eventually(status, 401)
    assert (await api.post(PATH, data=GRANT, headers=client)).json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ["client_credentials", "client_credentials"]}, 400, "invalid_request"),
        ({"scope": "inbox"}, 400, "invalid_scope"),
        ({"scope": "send admin"}, 400, "invalid_scope"),
        ({"scope": "tokens"}, 400, "invalid_scope"),
        ({"client_id": None}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": "\N{SNOWMAN}"}, 401, "invalid_client"),
        ({"client_id": "demo.k99"}, 401, "invalid_client"),
        ({"client_id": "nobody.k1"}, 401, "invalid_client"),
        ({"client_id": "demo"}, 401, "invalid_client"),
        ({"client_id": "demo.k1.secret"}, 401, "invalid_client"),
    ],
)
async def test_a_refusal_has_a_code_of_oauth(
    api: httpx.AsyncClient, registry: Registry, change: dict[str, Any], status: int, error: str
) -> None:
    """Each refusal has a code of RFC 6749 and the fields of a problem, and a 401 has a challenge."""
    await registry.create_key("demo", scopes=("send", "read"))
    key = await registry.signing_key("demo")
    assert key is not None
    form = GRANT | {"client_id": f"demo.{key.kid}", "client_secret": key.secret} | change
    answer = await api.post(PATH, data={name: value for name, value in form.items() if value is not None})
    problem = answer.json()
    assert (answer.status_code, problem["error"]) == (status, error), answer.text
    assert problem["error_description"] == problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    if change == {"scope": "send admin"}:
        assert problem["detail"] == f"The key {key.kid} does not allow admin: it allows read send."
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert ("Basic" in answer.headers.get("www-authenticate", "")) == (status == 401)


@pytest.mark.parametrize(
    ("headers", "content", "status", "error"),
    [
        ({"authorization": "Basic"}, b"", 401, "invalid_client"),
        ({"authorization": "Basic !!!"}, b"", 401, "invalid_client"),
        ({"authorization": "Basic ZGVtbw=="}, b"", 401, "invalid_client"),
        ({"authorization": "Basic /////w=="}, b"", 401, "invalid_client"),
        (basic("demo.k1", "%FF"), b"", 401, "invalid_client"),
        ({"authorization": "Bearer x"}, b"", 401, "invalid_client"),
        (basic("demo.k1", "s"), b"client_secret=s", 400, "invalid_request"),
        (basic("demo.k1", "s"), b"client_id=demo.k2", 400, "invalid_request"),
        ({}, b"client_id=%FF", 400, "invalid_request"),
        ({}, b"client_id=\xff", 400, "invalid_request"),
        ({}, b"a=1&" * 30, 400, "invalid_request"),
    ],
)
async def test_a_malformed_request_is_refused(
    api: httpx.AsyncClient, headers: dict[str, str], content: bytes, status: int, error: str
) -> None:
    """Malformed headers and forms get a 4xx with their code."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = await api.post(PATH, content=content + b"&grant_type=client_credentials", headers=form | headers)
    assert (answer.status_code, answer.json().get("error")) == (status, error), answer.text


async def test_only_a_small_form_is_taken(api: httpx.AsyncClient) -> None:
    """JSON gets a 415 that names the right content type, and a form over 8 KB gets a 413."""
    as_json = await api.post(PATH, json=GRANT)
    assert (as_json.status_code, as_json.json()["code"]) == (415, "unsupported_media_type")
    assert "application/x-www-form-urlencoded" in as_json.json()["detail"]
    large = await api.post(PATH, data=GRANT | {"state": "x" * 9_000})
    assert (large.status_code, large.json()["code"]) == (413, "too_large")


async def test_only_short_credentials_are_decoded(api: httpx.AsyncClient) -> None:
    """Credentials longer than any token are refused without decoding."""
    answer = await api.post(PATH, data=GRANT, headers=basic("demo.k1", "%61" * 8_000))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert "longer than 8,192 bytes" in answer.json()["detail"]


async def test_a_public_key_has_no_secret(api: httpx.AsyncClient, registry: Registry) -> None:
    """A public key gets no token, and the error says how to create one."""
    pem = ec.generate_private_key(ec.SECP256R1()).public_key()
    text = pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    named = await registry.create_key("demo", public_key=text, alg="ES256")
    answer = await api.post(PATH, data=GRANT, headers=basic(named, "x"))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert "private half" in answer.json()["detail"]


async def test_a_key_on_another_route_names_the_grant(
    api: httpx.AsyncClient, bearer: Bearer, key: Key
) -> None:
    """A key as Basic or Bearer on another route gets a 401 that names this grant."""
    for headers in (
        basic(f"demo.{key.kid}", str(key.secret)),
        {"authorization": f"Bearer demo.{key.kid}.{key.secret}"},
    ):
        answer = await api.get("/v1/groups", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
        assert PATH in answer.json()["detail"]
