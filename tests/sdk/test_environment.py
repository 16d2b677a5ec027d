"""Clients made from the environment."""

import inspect
from typing import Any

import httpx
import pytest

from tests.sdk.gateway import KEY
from tidings import AsyncTidings, ConfigurationError, Tidings

ENVIRONMENT = {"TIDINGS_URL": "http://api", "TIDINGS_KEY": KEY}


@pytest.mark.parametrize("kind", [Tidings, AsyncTidings])
def test_from_env_takes_every_option_of_the_constructor(kind: type[Any]) -> None:
    """`from_env` accepts every option of the constructor, with the same defaults."""
    options = dict(inspect.signature(kind).parameters)
    assert options.pop("url").default is inspect.Parameter.empty
    offered = inspect.signature(kind.from_env).parameters
    assert {name: offered[name].default for name in options} == {
        name: option.default for name, option in options.items()
    }
    assert offered["url"].default is None


def test_an_argument_replaces_its_variable() -> None:
    """With a token TIDINGS_KEY is not needed, and with a URL TIDINGS_URL is not."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    transport = httpx.MockTransport(answer)
    with Tidings.from_env(ENVIRONMENT, url="http://other", token="mine", transport=transport) as client:
        client.recall("n1")
    with Tidings.from_env({}, url="http://other", key=KEY, transport=transport) as client:
        client.recall("n1")
    assert [request.url.host for request in seen] == ["other", "other"]
    assert seen[0].headers["Authorization"] == "Bearer mine"


@pytest.mark.parametrize("missing", ENVIRONMENT)
@pytest.mark.parametrize("blank", [None, "", " \n"])
def test_a_missing_variable_is_named(missing: str, blank: str | None) -> None:
    """An error names a missing variable, and an empty one counts as missing."""
    environ = {name: value for name, value in ENVIRONMENT.items() if name != missing}
    if blank is not None:
        environ[missing] = blank
    with pytest.raises(ConfigurationError, match=missing):
        Tidings.from_env(environ)
