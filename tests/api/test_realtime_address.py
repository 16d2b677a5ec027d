"""The realtime address that the API gives to clients."""

import pytest
from msgspec import structs

from tests.api.conftest import Bearer, serving
from tests.support.ports import free_port
from tidings_api import server
from tidings_api.realtime_address import is_guessed, realtime_url
from tidings_workers.config import Settings

EVERYWHERE = Settings(host="0.0.0.0", realtime_host="0.0.0.0", realtime_port=8001)


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("192.0.2.2:24800", "ws://192.0.2.2:8001/v1/realtime"),
        ("box.lan", "ws://box.lan:8001/v1/realtime"),
        ("BOX:80", "ws://box:8001/v1/realtime"),
        ("[::1]:8000", "ws://[::1]:8001/v1/realtime"),
    ],
)
def test_the_url_has_the_host_of_the_request(host: str, told: str) -> None:
    """The URL of a gateway on all addresses has the host of the request to the API."""
    assert realtime_url([(b"host", host.encode())], EVERYWHERE) == told


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "a/b",
        "a@b",
        "a?b",
        "a#b",
        "x:y",
        "[1]",
        "[::g]",
        "-a",
        "a" * 300,
        "\xfc",
        "a\r\nb",
        "a\n",
        "a,b",
    ],
)
def test_an_invalid_host_is_not_used(host: str) -> None:
    """Only a name or an address from the Host header becomes part of a URL."""
    told = realtime_url([(b"host", host.encode("latin-1"))], EVERYWHERE)
    assert told == EVERYWHERE.public_realtime_url


def test_the_setting_and_a_single_address_are_used() -> None:
    """The URL is TIDINGS_REALTIME_URL if set, else the address of a gateway on a single address."""
    asked = [(b"host", b"192.0.2.2")]
    url = "wss://push.example/v1/realtime"
    assert realtime_url(asked, structs.replace(EVERYWHERE, realtime_url=url)) == url
    one = structs.replace(EVERYWHERE, realtime_host="127.0.0.1")
    assert realtime_url(asked, one) == "ws://127.0.0.1:8001/v1/realtime"


async def test_a_user_token_has_the_host_of_the_request(
    settings: Settings,
    bearer: Bearer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """POST /v1/tokens gives another machine an address that it can reach, and the start logs a warning."""
    monkeypatch.setattr(server, "LAST_ANSWERS_SECONDS", 0)
    everywhere = structs.replace(settings, host="0.0.0.0", realtime_host="0.0.0.0", port=free_port())
    async with serving(everywhere) as api:
        headers = bearer("tokens") | {"host": "192.0.2.2:24800"}
        made = await api.post("/v1/tokens", json={"user": "ana"}, headers=headers)
    assert made.json()["realtime_url"] == "ws://192.0.2.2:8001/v1/realtime"
    # On a busy machine the storage may warn too.
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warnings.count("TIDINGS_REALTIME_URL is not set") == 1


def test_no_warning_is_logged_when_the_url_is_right() -> None:
    """An API on loopback, or with the setting, logs no warning."""
    assert is_guessed(EVERYWHERE)
    assert not is_guessed(structs.replace(EVERYWHERE, host="127.0.0.1"))
    assert not is_guessed(structs.replace(EVERYWHERE, realtime_url="wss://push.example/v1/realtime"))
