"""Settings: what the environment says, or a line that says how to mend it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings_workers.config import ConfigurationError, Settings, masked


def test_defaults_without_environment() -> None:
    """An empty environment gives the documented defaults."""
    settings = Settings.from_environment({})
    assert settings.redis_url is None
    assert settings.data == Path(".tidings")
    assert (settings.port, settings.realtime_port, settings.operator_port) == (8000, 8001, 8002)
    assert settings.public_realtime_url == "ws://127.0.0.1:8001/v1/realtime"


def test_an_empty_variable_counts_as_not_set() -> None:
    """Compose files pass on variables that are empty: their defaults hold."""
    assert Settings.from_environment({"TIDINGS_PORT": "", "REDIS_URL": ""}) == Settings()


def test_a_wildcard_address_is_not_given_out() -> None:
    """Who listens on all addresses still gives out a URL that can be connected to."""
    settings = Settings(realtime_host="0.0.0.0")
    assert settings.public_realtime_url == "ws://127.0.0.1:8001/v1/realtime"


def test_settings_reach_a_child_unchanged() -> None:
    """What is written for a child process reads back as the same settings."""
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
        ("TIDINGS_REALTIME_URL", "https://push.example", "wss://"),
    ],
)
def test_a_wrong_value_is_named_with_its_cure(variable: str, value: str, cure: str) -> None:
    """The error names the variable and what it has to be."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({variable: value})
    assert str(caught.value).startswith(variable)
    assert cure in str(caught.value)


@given(
    user=st.text(st.characters(exclude_characters=":/@?#", exclude_categories=["C"])),
    password=st.text(st.characters(exclude_categories=["C"]), min_size=1).map(lambda text: f"s3cret{text}"),
)
def test_no_password_is_ever_shown(user: str, password: str) -> None:
    """A URL keeps its host and loses its password, whatever characters that has."""
    assert "s3cret" not in masked(f"redis://{user}:{password}@host:6379/0")
    assert "s3cret" not in masked(f"redis://host:6379/0?password={password.replace('&', '')}&db=1")
    assert masked("redis://host:6379/0") == "redis://host:6379/0"
