"""The verdicts of `Admission` on tokens, origins, scopes and limits, without a connection."""

import time
from typing import Any

import jwt
import pytest
from msgspec.structs import replace

from tests.gateway.conftest import TokenMaker
from tidings.protocol import closing, limits
from tidings.protocol.frames import ErrorFrame
from tidings_workers.config import Settings
from tidings_workers.gateway.admission import Admission, CloseRefusal, deadline
from tidings_workers.gateway.head import HttpRefusal
from tidings_workers.gateway.plain_handshake import Handshake
from tidings_workers.registry import Registry, RegistryView
from tidings_workers.store import Store
from tidings_workers.store.attaching import Arrival
from tidings_workers.tokens import Identity

ADDRESS = "192.0.2.1"
LISTED = "https://app.example"
UNLISTED = "https://evil.example"


@pytest.fixture
async def view(store: Store, registry: Registry) -> RegistryView:
    """A loaded view of the registry of the tests."""
    view = RegistryView(store.redis)
    await view.load()
    return view


@pytest.fixture
def admission(settings: Settings, view: RegistryView) -> Admission:
    return Admission(settings, view)


def identity(user: str = "ana", tenant: str = "demo", scope: str = "inbox", kid: str = "k1") -> Identity:
    """The identity of a token that was verified in the handshake."""
    now = time.time()
    scopes = frozenset(scope.split())
    return Identity(tenant=tenant, subject=user, scopes=scopes, kid=kid, issued_at=now, expires_at=now + 60)


def request(token: str | None = None, origin: str | None = None) -> Handshake:
    return Handshake(
        query="",
        origins=[] if origin is None else [origin],
        authorization=[] if token is None else [f"Bearer {token}"],
    )


def test_a_token_of_the_connect_frame(admission: Admission, token: TokenMaker) -> None:
    """A valid token gives its tenant, its user and its scopes."""
    found = admission.identify(None, token("ana", scope="inbox send"), None)
    assert isinstance(found, Identity)
    assert (found.tenant, found.subject, found.scopes) == ("demo", "ana", frozenset({"inbox", "send"}))


def test_the_handshake_goes_before_the_connect_frame(admission: Admission, token: TokenMaker) -> None:
    """The identity of the handshake is used, whatever token the connect frame has."""
    known = identity("ana")
    assert admission.identify(known, None, None) is known
    assert admission.identify(known, token("bob"), None) is known


def test_no_token(admission: Admission) -> None:
    """A client without a token is rejected with a reason, and the registry is not asked again."""
    found = admission.identify(None, None, None)
    assert isinstance(found, CloseRefusal)
    assert (found.code, found.unknown_key) == (closing.INVALID_TOKEN, False)
    assert found.reason


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é" * 100, "a" * 20_000])
def test_invalid_text(admission: Admission, text: str) -> None:
    """A text that is no token is rejected, and the registry is not asked again."""
    found = admission.identify(None, text, None)
    assert isinstance(found, CloseRefusal)
    assert (found.code, found.unknown_key) == (closing.INVALID_TOKEN, False)


def test_an_expired_token(admission: Admission, token: TokenMaker) -> None:
    """A token is accepted until the leeway after its expiry, and rejected as expired after that."""
    leeway = limits.TOKEN_LEEWAY_SECONDS
    assert isinstance(admission.identify(None, token("ana", seconds=60, age=55 + leeway), None), Identity)
    found = admission.identify(None, token("ana", seconds=60, age=65 + leeway), None)
    assert isinstance(found, CloseRefusal)
    assert found.code == closing.TOKEN_EXPIRED


async def test_an_unknown_key(admission: Admission, view: RegistryView, registry: Registry) -> None:
    """A token of an unknown key is rejected for now, and accepted after the view has the key."""
    name, kid, secret = (await registry.create_key("demo")).split(".")
    now = int(time.time())
    claims = {"iss": name, "sub": "ana", "aud": "tidings", "iat": now, "exp": now + 60, "scope": "inbox"}
    new = jwt.encode(claims, secret, "HS256", headers={"kid": kid})
    found = admission.identify(None, new, None)
    refused = admission.check_request(request(new))
    assert isinstance(found, CloseRefusal)
    assert (found.code, found.unknown_key) == (closing.INVALID_TOKEN, True)
    assert isinstance(refused, HttpRefusal)
    assert (refused.status, refused.unknown_key) == (401, True)
    await view.load()
    assert isinstance(admission.identify(None, new, None), Identity)
    accepted = admission.check_request(request(new))
    assert not isinstance(accepted, HttpRefusal)
    assert accepted[0] is not None


@pytest.mark.parametrize(
    ("tenant", "origin", "allowed"),
    [
        ("listed", LISTED, True),
        ("listed", UNLISTED, False),
        ("listed", None, True),
        ("demo", UNLISTED, True),
    ],
)
def test_origins(
    admission: Admission, token: TokenMaker, tenant: str, origin: str | None, allowed: bool
) -> None:
    """A tenant's list decides on the pages that may connect; without an origin or a list all may."""
    by_frame = admission.identify(None, token("ana", tenant=tenant), origin)
    by_handshake = admission.identify(identity(tenant=tenant), None, origin)
    verdict = admission.check_request(request(token("ana", tenant=tenant), origin))
    if allowed:
        assert isinstance(by_frame, Identity)
        assert isinstance(by_handshake, Identity)
        assert not isinstance(verdict, HttpRefusal)
        assert verdict[1] == origin
    else:
        assert by_frame == by_handshake == CloseRefusal(closing.ORIGIN_REFUSED)
        assert isinstance(verdict, HttpRefusal)
        assert (verdict.status, verdict.code) == (403, "origin_refused")


def test_a_handshake_without_a_token(admission: Admission) -> None:
    """A handshake without a token is accepted, because the connect frame may have one."""
    assert admission.check_request(request(origin=UNLISTED)) == (None, UNLISTED)


def test_scope(admission: Admission, token: TokenMaker) -> None:
    """A token without the scope inbox is rejected, in the frame as in the handshake."""
    expected = CloseRefusal(closing.NO_INBOX_SCOPE)
    assert admission.identify(None, token("ana", scope="send read"), None) == expected
    assert admission.identify(identity(scope="send"), None, None) == expected


@pytest.mark.parametrize("user", ["", "a b", "x" * 200])
def test_a_subject_that_is_no_user(admission: Admission, user: str) -> None:
    """A token whose subject is no user's id is rejected."""
    assert admission.identify(identity(user), None, None) == CloseRefusal(closing.INVALID_TOKEN)


@pytest.mark.parametrize(
    ("limit", "others"),
    [
        ("connections_per_user", [(identity("bob"), ADDRESS), (identity("ana", "other"), ADDRESS)]),
        ("connections_per_tenant", [(identity("ana", "other"), ADDRESS)]),
        ("connections_per_address", [(identity("ana"), "192.0.2.2")]),
    ],
)
def test_limits(
    settings: Settings, view: RegistryView, limit: str, others: list[tuple[Identity, str]]
) -> None:
    """A connection beyond a limit is rejected and not counted, and `release` makes room for one more."""
    admission = Admission(replace(settings, **{limit: 2}), view)
    refusal = CloseRefusal(closing.TOO_MANY_CONNECTIONS)
    ana = identity("ana")
    assert [admission.reserve(ana, ADDRESS, 1) for _ in range(4)] == [None, None, refusal, refusal]
    for other, address in others:
        assert admission.reserve(other, address, 1) is None
        admission.release(other, address)
    admission.release(ana, ADDRESS)
    assert [admission.reserve(ana, ADDRESS, 1) for _ in range(2)] == [None, refusal]


def test_limit_of_the_gateway(settings: Settings, view: RegistryView) -> None:
    """A gateway admits as many connections as its setting allows."""
    admission = Admission(replace(settings, gateway_connections=5), view)
    assert admission.reserve(identity("ana"), ADDRESS, 5) is None
    assert admission.reserve(identity("bob"), ADDRESS, 6) == CloseRefusal(closing.TOO_MANY_CONNECTIONS)


@pytest.mark.parametrize(
    ("policy", "limit", "code"),
    [
        ({"sessions": "many"}, 0, 0),
        ({"sessions": "many", "session_limit": 3}, 3, 0),
        ({"sessions": "replace"}, 1, closing.REPLACED.code),
        ({"sessions": "reject"}, 1, 0),
    ],
    ids=str,
)
async def test_policy_of_a_tenant(
    admission: Admission,
    view: RegistryView,
    registry: Registry,
    policy: dict[str, Any],
    limit: int,
    code: int,
) -> None:
    """The tenant's policy decides on a user's connections on all gateways, and on the older ones."""
    await registry.update_tenant("demo", **policy)
    await view.load()
    assert admission.user_limit("demo") == limit
    assert admission.arrival("c1", "demo") == Arrival("c1", limit, code)


def test_an_unknown_tenant_has_no_policy(admission: Admission) -> None:
    """A tenant that the view does not have limits nothing."""
    assert admission.arrival("c1", "nowhere") == Arrival("c1", 0, 0)


def test_refresh(admission: Admission, token: TokenMaker) -> None:
    """A new token of the same user replaces the old one, and any other gets an error."""
    old = identity("ana")
    new = admission.verify_refresh(old, token("ana", seconds=7200))
    assert isinstance(new, Identity)
    assert new.expires_at > old.expires_at
    for text, code in (
        (token("bob"), "invalid_token"),
        (token("ana", tenant="other"), "invalid_token"),
        (token("ana", scope="send"), "invalid_token"),
        (token("ana", seconds=60, age=120), "expired_token"),
        ("nonsense", "invalid_token"),
    ):
        error = admission.verify_refresh(old, text)
        assert isinstance(error, ErrorFrame)
        assert error.code == code
        assert error.detail


async def test_revoked(
    admission: Admission, view: RegistryView, registry: Registry, token: TokenMaker
) -> None:
    """An identity is revoked as soon as the view lacks its key."""
    known = admission.identify(None, token("ana"), None)
    assert isinstance(known, Identity)
    assert not admission.is_revoked(known)
    await registry.revoke_key("demo", known.kid)
    await view.load()
    assert admission.is_revoked(known)
    assert isinstance(admission.identify(None, token("ana"), None), CloseRefusal)


def test_deadline() -> None:
    """The deadline of a session is the expiry of its token plus the leeway, on the monotonic clock."""
    left = deadline(identity()) - time.monotonic()
    assert 59 + limits.TOKEN_LEEWAY_SECONDS < left <= 60 + limits.TOKEN_LEEWAY_SECONDS
