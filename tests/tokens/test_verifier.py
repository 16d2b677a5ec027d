"""Tokens: the valid ones, the refused ones, and the end of their validity (RFC 8725)."""

import base64
import contextlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.costly import MOST_PER_BYTE, VALUES, cost_per_byte, repeated
from tidings.protocol import limits
from tidings_workers.registry import Registry, RegistryView
from tidings_workers.tenants import RegistryError
from tidings_workers.tokens import TokenError, Verifier, make_token, make_user_token

CLAIM_NAMES = (b"iss", b"sub", b"aud", b"iat", b"exp", b"scope", b"nbf")
NOW = 1_800_000_000.0
CLAIMS: dict[str, Any] = {
    "iss": "demo",
    "sub": "shop",
    "aud": "tidings",
    "iat": int(NOW),
    "exp": int(NOW) + 3600,
    "scope": "send read",
}
Sign = Callable[..., str]


@pytest.fixture
async def key(registry: Registry) -> str:
    await registry.create_tenant("demo")
    return await registry.create_key("demo")


@pytest.fixture
async def verifier(view: RegistryView, key: str) -> Verifier:
    assert key
    verifier = Verifier(view)
    await view.load()
    return verifier


@pytest.fixture
def sign(key: str) -> Sign:
    """Signs with the tenant's HS256 key: claims replaced by `changes`, None leaves one out."""

    def sign(headers: dict[str, Any] | None = None, **changes: Any) -> str:
        claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
        header = {"alg": "HS256", "kid": "k1", "typ": "JWT"} | (headers or {})
        return hmac_token(
            {name: value for name, value in header.items() if value is not None}, claims, key.split(".")[2]
        )

    return sign


def code_of(verifier: Verifier, token: str, now: float = NOW) -> str:
    with pytest.raises(TokenError) as caught:
        verifier.verify(token, now)
    return caught.value.code


def raw(*parts: object) -> str:
    """A token of these parts, each JSON text, bytes or an object, without any check."""
    texts = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in parts)
    return ".".join(base64.urlsafe_b64encode(text).rstrip(b"=").decode() for text in texts)


def hmac_token(header: object, claims: object, secret: str) -> str:
    """As `raw`, with a valid HMAC-SHA256 signature."""
    signed = raw(header, claims)
    digest = hmac.digest(secret.encode(), signed.encode(), "sha256")
    return f"{signed}.{raw(digest)}"


def test_a_valid_token_has_its_identity(verifier: Verifier, sign: Sign) -> None:
    """Tenant, subject, scopes and times of the identity are those of the token."""
    identity = verifier.verify(sign(), NOW)
    assert (identity.tenant, identity.subject, identity.kid) == ("demo", "shop", "k1")
    assert identity.scopes == {"send", "read"}
    assert identity.expires_at == NOW + 3600


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_claim_is_required(verifier: Verifier, sign: Sign, claim: str) -> None:
    """A token that lacks a claim is refused."""
    assert code_of(verifier, sign(**{claim: None})) == "invalid_token"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "Demo"}, {"iss": 1}, {"iss": ["demo"]}, {"iss": "other"},
        {"sub": ""}, {"sub": "a b"}, {"sub": ".."}, {"sub": 5}, {"sub": "a\n"}, {"sub": "a" * 129},
        {"aud": "others"}, {"aud": []}, {"aud": ["others"]}, {"aud": {"tidings": 1}}, {"aud": "tidings "},
        {"iat": "1800000000"}, {"iat": True}, {"exp": "1800003600"}, {"exp": False}, {"exp": [1]},
        {"iat": NOW + 60, "exp": NOW + 120}, {"exp": NOW + 86_401}, {"exp": NOW}, {"exp": 10**400},
        {"nbf": NOW + 60}, {"nbf": "now"}, {"nbf": True}, {"nbf": 10**400}, {"iat": -1e308, "exp": 1e308},
        {"scope": 7}, {"scope": ["send"]}, {"scope": ""}, {"scope": "send  read"}, {"scope": "send\nread"},
    ],
)  # fmt: skip
def test_an_invalid_claim_is_refused(verifier: Verifier, sign: Sign, changes: dict[str, Any]) -> None:
    """A claim of another type or out of its limits is refused."""
    assert code_of(verifier, sign(**changes)) == "invalid_token"


@pytest.mark.parametrize(
    "headers",
    [
        {"typ": "at+jwt"}, {"typ": "JWE"}, {"typ": ""}, {"typ": 1}, {"kid": "k2"}, {"kid": ""},
        {"kid": "k1~"}, {"kid": "k1~~"}, {"crit": ["exp"]}, {"zip": "DEF"}, {"cty": "JWT"},
        {"enc": "A128GCM"}, {"b64": False},
        {"jku": "https://evil.example/keys"}, {"jwk": {"kty": "oct", "k": "AA"}},
        {"x5u": "https://evil.example"},
        {"x5c": ["AA"]},
    ],
)  # fmt: skip
def test_an_invalid_header_is_refused(verifier: Verifier, sign: Sign, headers: dict[str, Any]) -> None:
    """Only kid names the key: a token with its key, or with a header that changes its claims, is refused."""
    assert code_of(verifier, sign(headers)) == "invalid_token"


@pytest.mark.parametrize("name", ["crit", "zip", "cty", "enc", "b64", "jku", "jwk", "x5u", "x5c"])
@pytest.mark.parametrize("value", ["x", ["x"], {"x": 1}, 0, False])
def test_a_refused_header_is_named(verifier: Verifier, sign: Sign, name: str, value: object) -> None:
    """The error names a header that would change the meaning of the token."""
    with pytest.raises(TokenError) as caught:
        verifier.verify(sign({name: value}), NOW)
    assert f"must not have {name}:" in caught.value.detail


def test_a_header_without_typ_is_valid(verifier: Verifier, sign: Sign) -> None:
    """A token without `typ`, as libraries make it, is valid."""
    assert verifier.verify(sign({"typ": None}), NOW).subject == "shop"
    assert verifier.verify(sign({"typ": "jwt"}), NOW).subject == "shop"


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"exp": NOW - 1}, "exp must be later than iat"),
        ({"exp": NOW}, "exp must be later than iat"),
        ({"exp": NOW + 86_401}, "at most 86400 s after iat"),
        ({"exp": "soon"}, "finite numbers of seconds"),
        ({"nbf": NOW + 60}, "not valid yet"),
        ({"sub": 5}, "The token's claims: sub: This must be a string, not a whole number."),
        ({"iss": None}, "The token's claims: iss: The field iss is required."),
        ({"aud": [1]}, "The token's claims: aud/0: This must be a string, not a whole number."),
    ],
)
def test_a_refusal_says_why(verifier: Verifier, sign: Sign, changes: dict[str, Any], detail: str) -> None:
    """The error names a wrong claim and its fault in plain words."""
    with pytest.raises(TokenError) as caught:
        verifier.verify(sign(**changes), NOW)
    assert detail in caught.value.detail
    assert "`" not in caught.value.detail


def test_a_key_is_no_token(verifier: Verifier, key: str) -> None:
    """The error for a key in place of a token says so, and names the route for tokens."""
    with pytest.raises(TokenError) as caught:
        verifier.verify(key, NOW)
    assert (caught.value.code, caught.value.unknown_key) == ("invalid_token", False)
    assert "This is a key" in caught.value.detail
    assert "POST /v1/oauth/token" in caught.value.detail
    # The text has to fit into the reason of a close frame.
    assert len(caught.value.detail.encode()) <= 120


def test_the_algorithm_is_the_keys_own(verifier: Verifier, key: str) -> None:
    """A token with another algorithm than its key's, or without a signature, is refused."""
    secret = key.split(".")[2]
    header = {"kid": "k1"}
    assert code_of(verifier, jwt.encode(CLAIMS, secret * 2, "HS512", headers=header)) == "invalid_token"
    assert code_of(verifier, raw({"alg": "none", "kid": "k1", "typ": "JWT"}, CLAIMS, b"")) == "invalid_token"


def test_an_altered_token_is_refused(verifier: Verifier, sign: Sign) -> None:
    """A token with any changed byte is refused."""
    token = sign()
    for position in (5, len(token) // 2, len(token) - 3):
        altered = "A" if token[position] != "A" else "B"
        assert code_of(verifier, token[:position] + altered + token[position + 1 :]) == "invalid_token"


def test_nbf_counts_with_leeway(verifier: Verifier, sign: Sign) -> None:
    """A token with nbf is valid from that time on, with the leeway."""
    token = sign(nbf=int(NOW) + 60)
    assert code_of(verifier, token, NOW + 54) == "invalid_token"
    assert verifier.verify(token, NOW + 55).subject == "shop"


def test_times_have_five_seconds_of_leeway(verifier: Verifier, sign: Sign) -> None:
    """A token is valid from 5 s before iat until 5 s after exp, also when it was verified before."""
    token = sign()
    assert code_of(verifier, token, NOW - 5.1) == "invalid_token"
    for now in (NOW - 5, NOW, NOW + 3604.9):
        verifier.verify(token, now)
    assert code_of(verifier, token, NOW + 3605) == "expired_token"
    assert code_of(verifier, sign(sub="new"), NOW + 3605) == "expired_token"


async def test_scopes_are_limited_to_those_of_the_key(
    registry: Registry, view: RegistryView, verifier: Verifier
) -> None:
    """An identity has only those scopes of its token that the key allows."""
    _, kid, secret = (await registry.create_key("demo", scopes=["send"])).split(".")
    await view.load()
    token = jwt.encode(CLAIMS | {"scope": "send read tokens"}, secret, "HS256", headers={"kid": kid})
    assert verifier.verify(token, NOW).scopes == {"send"}


async def test_a_revoked_key_voids_its_tokens(
    registry: Registry, view: RegistryView, verifier: Verifier, sign: Sign
) -> None:
    """Revoking a key voids its own tokens and the user tokens made through it, also verified ones."""
    record = view.key("demo", "k1")
    assert record is not None
    tokens = [sign(), make_user_token(record, "demo", "ana", 60, NOW)]
    for token in tokens:
        verifier.verify(token, NOW)
    await registry.revoke_key("demo", "k1")
    await view.load()
    assert [code_of(verifier, token) for token in tokens] == ["invalid_token", "invalid_token"]


async def test_a_user_token_grants_the_inbox_alone(
    registry: Registry, view: RegistryView, verifier: Verifier
) -> None:
    """A user token made with a key without the scope inbox opens the user's inbox and nothing else."""
    _, kid, _ = (await registry.create_key("demo", scopes=["tokens", "send"])).split(".")
    await view.load()
    record = view.key("demo", kid)
    assert record is not None
    identity = verifier.verify(make_user_token(record, "demo", "ana", 3600, NOW), NOW)
    assert (identity.subject, identity.scopes, identity.kid) == ("ana", frozenset({"inbox"}), kid)
    wider = jwt.encode(CLAIMS, record.token_secret, "HS256", headers={"kid": kid + "~"})
    assert verifier.verify(wider, NOW).scopes == frozenset()


async def test_an_operators_token_is_signed_with_the_key(registry: Registry, verifier: Verifier) -> None:
    """A token signed with the newest valid key of a tenant is valid, with the requested scopes."""
    record = await registry.signing_key("demo")
    assert record is not None
    token = make_token(record, "demo", "ana", frozenset({"inbox", "read"}), 60, time.time())
    assert verifier.verify(token, time.time()).scopes == {"inbox", "read"}
    with pytest.raises(ValueError, match="expires_in"):
        make_token(record, "demo", "ana", frozenset({"inbox"}), limits.TOKEN_SECONDS + 1, NOW)


PRIVATE_KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


WEAK_BITS = 1024


def public_pem(key: Any) -> str:
    text: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


@pytest.mark.parametrize("alg", PRIVATE_KEYS)
async def test_a_registered_public_key_verifies(
    registry: Registry, view: RegistryView, verifier: Verifier, alg: str
) -> None:
    """Tokens signed with the private half are valid; those signed with the public PEM as a secret are not."""
    pem = public_pem(PRIVATE_KEYS[alg])
    answer = await registry.create_key("demo", public_key=pem, alg=alg)
    await view.load()
    assert answer == "demo.k2"
    token = jwt.encode(CLAIMS, PRIVATE_KEYS[alg], alg, headers={"kid": "k2"})
    assert verifier.verify(token, NOW).subject == "shop"
    for secret in (pem, pem.strip()):
        forged = hmac_token({"alg": "HS256", "kid": "k2", "typ": "JWT"}, CLAIMS, secret)
        assert code_of(verifier, forged) == "invalid_token"
    record = view.key("demo", "k2")
    assert record is not None
    assert verifier.verify(make_user_token(record, "demo", "ana", 60, NOW), NOW).scopes == {"inbox"}
    with pytest.raises(ValueError, match="public"):
        make_token(record, "demo", "ana", frozenset({"inbox"}), 60, NOW)


@pytest.mark.parametrize(
    ("pem", "alg"),
    [
        (public_pem(rsa.generate_private_key(65537, WEAK_BITS)), "RS256"),
        (public_pem(ec.generate_private_key(ec.SECP384R1())), "ES256"),
        (public_pem(PRIVATE_KEYS["RS256"]), "ES256"),
        (public_pem(PRIVATE_KEYS["ES256"]), "EdDSA"),
        (public_pem(PRIVATE_KEYS["RS256"]), "HS256"),
        (public_pem(PRIVATE_KEYS["RS256"]), "none"),
        ("no key at all", "RS256"),
        ("", "ES256"),
    ],
)
async def test_an_unsuitable_public_key_is_refused(registry: Registry, pem: str, alg: str) -> None:
    """A weak key, another curve, another type than alg, and a text that is no key are refused."""
    await registry.create_tenant("demo")
    with pytest.raises(RegistryError):
        await registry.create_key("demo", public_key=pem, alg=alg)


async def test_a_private_key_is_refused(registry: Registry) -> None:
    """A private key is refused and not stored."""
    await registry.create_tenant("demo")
    pem = PRIVATE_KEYS["RS256"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(RegistryError, match="private"):
        await registry.create_key("demo", public_key=pem, alg="RS256")


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "a.b", "a.b.c.d", "é.b.c", "a" * 9000, "\ud800.a.b",
        raw(b"[" * 5000, CLAIMS, b"x"),
        raw({"alg": "HS256", "kid": "k1", "typ": "JWT"}, b"[" * 5000, b"x"),
        raw(b'{"alg":"HS256","kid":"k1","typ":"JWT","x":' + b"[" * 4000, CLAIMS, b"x"),
        raw({"alg": "HS256", "kid": "k1", "typ": "JWT"}, b'{"exp":1e400}', b"x"),
        raw({"alg": "HS256", "kid": "k1", "typ": "JWT"}, b'{"exp":NaN}', b"x"),
        raw(b'{"alg":"HS256","kid":"\xff","typ":"JWT"}', CLAIMS, b"x"),
        raw({"alg": "HS256", "kid": "k1", "typ": "JWT", "crit": ["exp"]}, CLAIMS, b"x"),
    ],
)  # fmt: skip
def test_an_invalid_text_is_refused(verifier: Verifier, token: str) -> None:
    """Any text that is not a token is an invalid token, without another exception."""
    assert code_of(verifier, token) == "invalid_token"


KNOWN_HEADER = b'"alg":"HS256","kid":"k1","typ":"JWT"'
KNOWN_CLAIMS = json.dumps(CLAIMS).encode()[1:-1]


@pytest.mark.parametrize(
    "value", [*VALUES.values(), lambda size: repeated("exp", "1e308", size)], ids=[*VALUES, "exp"]
)
def test_a_costly_token_is_refused_cheaply(
    verifier: Verifier, key: str, value: Callable[[int], bytes]
) -> None:
    """The CPU time for any token is limited by its length, signed or not."""
    inner = value(5000)
    members = inner[1:-1] if inner.startswith(b"{") else b'"x":' + inner
    parts = [
        (b"{%b,%b}" % (KNOWN_HEADER, members), b"{%b}" % KNOWN_CLAIMS),
        (b"{%b}" % KNOWN_HEADER, b"{%b,%b}" % (KNOWN_CLAIMS, members)),
        (b"{%b}" % KNOWN_HEADER, inner),
        *(
            (b'{%b,"%b":%b}' % (KNOWN_HEADER, name, inner), b"{%b}" % KNOWN_CLAIMS)
            for name in (b"kid", b"crit")
        ),
        *((b"{%b}" % KNOWN_HEADER, b'{%b,"%b":%b}' % (KNOWN_CLAIMS, name, inner)) for name in CLAIM_NAMES),
    ]
    for header, claims in parts:
        for secret in ("wrong", key.split(".")[2]):
            token = hmac_token(header, claims, secret)

            def verify(token: str = token) -> None:
                with contextlib.suppress(TokenError):
                    verifier.verify(token, NOW)
                verifier._verified.clear()

            assert len(token) <= limits.TOKEN_BYTES
            assert cost_per_byte(verify, len(token)) < MOST_PER_BYTE, (header[:80], claims[:80])


@given(
    header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64"]), st.from_type(object)),
    parts=st.lists(st.binary(max_size=40), max_size=4),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_header_crashes_the_verifier(
    verifier: Verifier, header: dict[str, object], parts: list[bytes]
) -> None:
    """For any content of a token's parts the verifier raises only TokenError."""
    token = raw(json.dumps(header, default=repr).encode(), *parts)
    assert code_of(verifier, token) == "invalid_token"
