"""Where clients are told to connect."""

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from tests.api.conftest import Bearer, serving
from tests.support.valkey import free_port
from tidings_api import server
from tidings_api.realtime_address import is_left_to_chance, realtime_url
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
def test_the_url_follows_the_host_that_was_asked(host: str, told: str) -> None:
    """A gateway on all addresses is where the API was reached."""
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
def test_a_host_that_is_none_is_not_taken_over(host: str) -> None:
    """Host is untrusted text: only a name or an address becomes part of a URL."""
    told = realtime_url([(b"host", host.encode("latin-1"))], EVERYWHERE)
    assert told == EVERYWHERE.public_realtime_url


def test_a_setting_or_one_address_is_what_is_told() -> None:
    """TIDINGS_REALTIME_URL wins, and a gateway on one address is at that address."""
    asked = [(b"host", b"192.0.2.2")]
    url = "wss://push.example/v1/realtime"
    assert realtime_url(asked, structs.replace(EVERYWHERE, realtime_url=url)) == url
    one = structs.replace(EVERYWHERE, realtime_host="127.0.0.1")
    assert realtime_url(asked, one) == "ws://127.0.0.1:8001/v1/realtime"


async def test_a_user_token_says_where_the_api_was_asked(
    settings: Settings, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """POST /v1/tokens tells another machine an address that it can reach; the start says what to set."""
    monkeypatch.setattr(server, "LAST_ANSWERS_SECONDS", 0)
    everywhere = structs.replace(settings, host="0.0.0.0", realtime_host="0.0.0.0", port=free_port())
    with capture_logs() as logs:
        async with serving(everywhere) as api:
            headers = bearer("tokens") | {"host": "192.0.2.2:24800"}
            made = await api.post("/v1/tokens", json={"user": "ana"}, headers=headers)
    assert made.json()["realtime_url"] == "ws://192.0.2.2:8001/v1/realtime"
    assert [log["event"] for log in logs if log["log_level"] == "warning"] == [
        "TIDINGS_REALTIME_URL is not set"
    ]


def test_nothing_is_warned_of_where_the_url_is_right() -> None:
    """An API on loopback, or with the setting, needs no warning."""
    assert is_left_to_chance(EVERYWHERE)
    assert not is_left_to_chance(structs.replace(EVERYWHERE, host="127.0.0.1"))
    assert not is_left_to_chance(structs.replace(EVERYWHERE, realtime_url="wss://push.example/v1/realtime"))
