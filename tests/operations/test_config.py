"""Settings: read from the environment, or refused with one line that names the cure."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings_workers.addresses import cluster_addresses, masked
from tidings_workers.config import Settings, service_links
from tidings_workers.config_checks import ConfigurationError


def test_defaults_without_environment() -> None:
    """An empty environment gives the documented defaults."""
    settings = Settings.from_environment({})
    assert settings.redis_url is None
    assert settings.data == Path(".tidings")
    assert (settings.port, settings.realtime_port, settings.operator_port) == (8000, 8001, 8002)
    assert settings.public_realtime_url == "ws://127.0.0.1:8001/v1/realtime"


def test_an_empty_variable_counts_as_not_set() -> None:
    """An empty variable, as Compose files pass it on, has its default."""
    assert Settings.from_environment({"TIDINGS_PORT": "", "REDIS_URL": ""}) == Settings()


def test_a_wildcard_address_is_not_in_the_url() -> None:
    """A gateway that listens on all addresses has a public URL that clients can connect to."""
    settings = Settings(realtime_host="0.0.0.0")
    assert settings.public_realtime_url == "ws://127.0.0.1:8001/v1/realtime"


def test_settings_reach_a_child_unchanged() -> None:
    """Settings that are written for a child process are read as the same settings."""
    settings = Settings(
        redis_url="unix:///tmp/s", data=Path("/x y"), durability="always", drain_seconds=0.5, port=9
    )
    assert Settings.from_environment(settings.to_environment()) == settings


@pytest.mark.parametrize(
    ("variable", "value", "cure"),
    [
        ("TIDINGS_PORT", "http", "a whole number from 1 to 65535"),
        ("TIDINGS_PORT", "0", "a whole number from 1 to 65535"),
        ("TIDINGS_PARTITIONS", "1025", "a whole number from 1 to 1024"),
        ("TIDINGS_DRAIN_SECONDS", "-1", "a number from 0 to 3600"),
        ("TIDINGS_DRAIN_SECONDS", "nan", "a number from 0 to 3600"),
        ("TIDINGS_DURABILITY", "forever", "one of memory, everysec, always"),
        ("TIDINGS_CONNECTIONS_PER_USER", "0", "a whole number of 1 or more"),
        ("REDIS_URL", "localhost:6379", "redis://"),
        ("REDIS_URL", "redis://", "redis://host:6379/0"),
        ("REDIS_URL", "redis://[::1", "redis://host:6379/0"),
        ("REDIS_URL", "unix://", "unix:///path/to/redis.sock"),
        ("REDIS_URL", "unix:///srv/a#b/s", "%23"),
        ("REDIS_URL", "redis+sentinel://a:26379/mymaster", "Sentinel is not supported"),
        ("REDIS_URL", "redis://a:6379,b:6379", "redis+cluster://host:6379,other:6379"),
        ("REDIS_URL", "redis+cluster://a:6379,:6380", "names no host and port"),
        ("REDIS_URL", "redis+cluster://a:6379,b:x", "which is not a URL"),
        ("TIDINGS_REALTIME_URL", "https://push.example", "wss://"),
    ],
)
def test_a_wrong_value_is_named_with_its_cure(variable: str, value: str, cure: str) -> None:
    """The error names the variable and its allowed values."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({variable: value})
    assert str(caught.value).startswith(variable)
    assert cure in str(caught.value)


def test_a_cluster_may_be_named_by_several_nodes() -> None:
    """Each node of a cluster's URL has its host and port, and the user applies to all of them."""
    url = "rediss+cluster://me:p%2C@a:7000,[::1]:7001,c/0?ssl_ca_certs=/ca.pem"
    assert Settings.from_environment({"REDIS_URL": url}).redis_url == url
    first, addresses = cluster_addresses(url)
    assert first == "rediss://me:p%2C@a:7000/0?ssl_ca_certs=/ca.pem"
    assert addresses == [("a", 7000), ("::1", 7001), ("c", 6379)]


@pytest.mark.parametrize("variable", ["TIDINGS_PORT", "TIDINGS_REALTIME_PORT", "TIDINGS_OPERATOR_PORT"])
def test_service_links_of_kubernetes_are_ignored(variable: str) -> None:
    """A TIDINGS_PORT of tcp://..., which Kubernetes sets for a Service, is ignored."""
    environ = {variable: "tcp://10.96.0.7:8000", "TIDINGS_DURABILITY": "always"}
    assert Settings.from_environment(environ) == Settings(durability="always")
    assert service_links(environ) == [variable]
    assert service_links({variable: "9000", "REDIS_URL": "unix:///s"}) == []


def test_blanks_around_a_value_are_removed() -> None:
    """A value with a newline at its end, as secrets from files have it, is read without it."""
    environ = {
        "REDIS_URL": " redis://host:6379/0\n",
        "TIDINGS_PORT": "9000\r\n",
        "TIDINGS_DURABILITY": " always\n",
        "TIDINGS_DATA": "/data\n",
        "TIDINGS_REALTIME_URL": "wss://push.example\n",
        "TIDINGS_HOST": " \n",
    }
    assert Settings.from_environment(environ) == Settings(
        redis_url="redis://host:6379/0",
        port=9000,
        durability="always",
        data=Path("/data"),
        realtime_url="wss://push.example",
    )


@given(
    user=st.text(st.characters(exclude_characters=":/@?#", exclude_categories=["C"])),
    password=st.text(st.characters(exclude_categories=["C"]), min_size=1).map(lambda text: f"s3cret{text}"),
)
def test_no_password_is_ever_shown(user: str, password: str) -> None:
    """A masked URL has its host and no password, for any characters in the password."""
    assert "s3cret" not in masked(f"redis://{user}:{password}@host:6379/0")
    assert "s3cret" not in masked(f"redis://host:6379/0?password={password.replace('&', '')}&db=1")
    assert masked("redis://host:6379/0") == "redis://host:6379/0"
