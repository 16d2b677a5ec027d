"""Keys and tokens of a client."""

import itertools
from typing import Any

import jwt
import pytest

from tests.sdk.gateway import KEY
from tidings import AsyncTidings, ConfigurationError, Tidings
from tidings._credentials import (
    RENEW_BEFORE_SECONDS,
    SIGNED_SECONDS,
    AsyncCredential,
    Credential,
    Key,
    expiry_of,
)

SECRET = KEY.split(".")[2]


class Time:
    """A clock that the test sets."""

    now = 1_790_000_000.0

    def __call__(self) -> float:
        """Unix seconds."""
        return self.now


def claims(token: str) -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(
        token,
        SECRET,
        algorithms=["HS256"],
        audience="tidings",
        issuer="demo",
        options={"verify_exp": False, "verify_iat": False},
    )
    return decoded


def test_a_signed_token_carries_every_claim_of_the_contract() -> None:
    """A token of the client is HS256, names the key, has all claims and one scope, and expires soon."""
    token = Credential(KEY, None, Time()).token("send")
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "kid": "k1", "typ": "JWT"}
    found = claims(token)
    assert found.keys() == {"iss", "sub", "aud", "iat", "exp", "scope"}
    assert found["scope"] == "send"
    assert found["exp"] - found["iat"] == SIGNED_SECONDS
    assert found["iat"] <= Time.now < found["exp"]


def test_tokens_are_kept_per_scope_and_renewed_before_they_expire() -> None:
    """A token is used until a minute before it expires, so that the server can cache its verdict."""
    clock = Time()
    credential = Credential(KEY, None, clock)
    first = credential.token("send")
    assert claims(credential.token("read"))["scope"] == "read"
    clock.now = claims(first)["exp"] - RENEW_BEFORE_SECONDS - 1
    assert credential.token("send") == first
    clock.now += 1
    assert claims(credential.token("send"))["exp"] > claims(first)["exp"]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "demo",
        "demo.k1",
        "demo.k1.",
        ".k1.s",
        "demo.k1.s.t",
        "Demo.k1.s",
        "de mo.k1.s",
        "demo.k1.s\u00e9",
        "demo.k1.a b",
    ],
)
def test_a_malformed_key_is_refused_without_repeating_its_secret(key: str) -> None:
    """The error has the form of a key and its source, and no secret."""
    with pytest.raises(ConfigurationError) as raised:
        Tidings("http://api", key=key)
    assert "k1.s" not in str(raised.value)


def test_a_key_hides_its_secret() -> None:
    """The repr and the str of a key do not have its secret."""
    assert SECRET not in f"{Key.parse(KEY)!r} {Key.parse(KEY)}"


def test_either_a_key_or_a_token_is_needed() -> None:
    """A client with both a key and a token, or with neither, raises when it is made."""
    for key, token in ((None, None), (KEY, "t")):
        with pytest.raises(ConfigurationError):
            Tidings("http://api", key=key, token=token)


def test_a_callable_is_called_again_only_when_its_token_expires() -> None:
    """A token of a callable is kept for all scopes until it expires."""
    clock, numbers = Time(), itertools.count()

    def fetch() -> str:
        return jwt.encode({"exp": clock.now + 600, "n": next(numbers)}, SECRET)

    credential = Credential(None, fetch, clock)
    first = credential.token("send")
    assert credential.token("read") == first
    assert credential.token("read", renew=True) != first
    second = credential.token("read")
    clock.now += 600
    assert credential.token("read") != second


async def test_an_async_callable_is_awaited() -> None:
    """The async client accepts plain and async callables."""

    async def fetch() -> str:
        return "mine"

    assert await AsyncCredential(None, fetch).token("send") == "mine"
    assert await AsyncCredential(None, lambda: "yours").token("send") == "yours"


def test_the_blocking_client_refuses_an_async_callable() -> None:
    """An async callable raises in the blocking client, without a warning about a coroutine."""

    async def fetch() -> str:
        return "mine"

    with pytest.raises(ConfigurationError, match="AsyncTidings"):
        Credential(None, fetch).token("send")


def test_a_callable_that_returns_no_string_is_refused() -> None:
    """A callable that returns None raises, and no request is sent without a token."""
    with pytest.raises(ConfigurationError, match="NoneType"):
        Credential(None, lambda: None).token("send")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "a.e30.c", "a.eyJleHAiOiAiMSJ9.c", "a.W10.c", "a.\u00e9.c"]
)
def test_a_token_without_an_expiry_is_kept(token: str) -> None:
    """A token without a readable expiry is kept until the server refuses it."""
    assert expiry_of(token) is None


def test_the_environment_configures_a_client() -> None:
    """TIDINGS_URL and TIDINGS_KEY configure a client, and an error names a missing one."""
    Tidings.from_env({"TIDINGS_URL": "http://api", "TIDINGS_KEY": KEY}).close()
    with pytest.raises(ConfigurationError, match="TIDINGS_KEY"):
        AsyncTidings.from_env({"TIDINGS_URL": "http://api"})


@pytest.mark.parametrize(
    "url",
    ["", "api", "ftp://api", "http://", "http://u:p@api", "http://api?x=1", "http://api#x", "http://[::"],
)
def test_a_wrong_url_is_refused_when_the_client_is_made(url: str) -> None:
    """A URL that cannot be used raises when the client is made."""
    with pytest.raises(ConfigurationError):
        Tidings(url, key=KEY)
