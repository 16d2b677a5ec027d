"""What both clients are configured with."""

import os
from collections.abc import Mapping
from typing import Final

import httpx

from tidings._errors import ConfigurationError
from tidings._retries import Retries, RetryPolicy

# Five tries over 7.5 to 15 seconds: a restart of the server fits in.
RETRIES: Final = 4


def base_url(url: str) -> str:
    """A checked URL without its last slash, and without the `/v1` of the API. Raises ConfigurationError."""
    url = str(url).strip()
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ConfigurationError(f"{url!r} is not a URL: {error}") from None
    if parsed.scheme in {"ws", "wss"}:
        raise ConfigurationError(
            f"The URL {url!r} is one for WebSockets. Give that of the API, with http:// or https://: "
            "where to listen is found through it"
        )
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ConfigurationError(f"The URL {url!r} must begin with http:// or https:// and name a host")
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise ConfigurationError("The URL must hold no user, query or fragment: give key=... or token=...")
    return str(parsed).rstrip("/").removesuffix("/v1").rstrip("/")


def retry_policy(retries: Retries) -> RetryPolicy:
    """`retries` counts what comes after the first try."""
    if isinstance(retries, RetryPolicy):
        return retries
    if retries < 0:
        raise ConfigurationError(f"retries must not be negative: {retries}")
    return RetryPolicy(tries=retries + 1)


def policy_of(retries: Retries | None, default: RetryPolicy) -> RetryPolicy:
    """The policy of one call: its own, or the client's."""
    return default if retries is None else retry_policy(retries)


def from_environment(
    environ: Mapping[str, str] | None, *, url: str | None, key: str | None, keyless: bool
) -> tuple[str, str | None]:
    """The URL and the key, each as given or of `TIDINGS_URL` and `TIDINGS_KEY`; `keyless` needs no key."""
    environ = os.environ if environ is None else environ
    found_url = url or environ.get("TIDINGS_URL", "").strip()
    found_key = key or (None if keyless else environ.get("TIDINGS_KEY", "").strip())
    missing = [
        name
        for name, found in (("TIDINGS_URL", found_url), ("TIDINGS_KEY", keyless or found_key))
        if not found
    ]
    if missing:
        raise ConfigurationError(
            f"{' and '.join(missing)} must be set: `tidings-server dev` prints both when it starts"
        )
    return found_url, found_key


def check_owner(user: str | None, *, holds_key: bool) -> None:
    """An inbox is a user's. Raises ConfigurationError where none is named and the client is no user's own."""
    if user is None and holds_key:
        raise ConfigurationError("Say whose inbox: inbox(user). Only a user's own token needs no name")
