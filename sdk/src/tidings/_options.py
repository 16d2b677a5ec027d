"""The configuration that both clients share."""

import os
from collections.abc import Mapping
from typing import Final

import httpx

from tidings._errors import ConfigurationError
from tidings._retries import Retries, RetryPolicy

# Five tries over 7.5 to 15 seconds: a server can restart within that time.
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
            f"The URL {url!r} is one for WebSockets. Give the URL of the API, with http:// or https://: "
            "the client learns the realtime URL from the API"
        )
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ConfigurationError(f"The URL {url!r} must begin with http:// or https:// and name a host")
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise ConfigurationError("The URL must not have a user, query or fragment. Give key=... or token=...")
    return str(parsed).rstrip("/").removesuffix("/v1").rstrip("/")


def retry_policy(retries: Retries) -> RetryPolicy:
    """The policy for `retries`: a policy itself, or the number of tries after the first."""
    if isinstance(retries, RetryPolicy):
        return retries
    if retries < 0:
        raise ConfigurationError(f"retries must be 0 or more, not {retries}")
    return RetryPolicy(tries=retries + 1)


def policy_of(retries: Retries | None, default: RetryPolicy) -> RetryPolicy:
    """The policy of one call: its own, or the client's."""
    return default if retries is None else retry_policy(retries)


def from_environment(
    environ: Mapping[str, str] | None, *, url: str | None, key: str | None, keyless: bool
) -> tuple[str, str | None]:
    """The URL and the key: as given, else from `TIDINGS_URL` and `TIDINGS_KEY`. `keyless` needs no key."""
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
            f"{' and '.join(missing)} must be set. `tidings-server dev` prints both when it starts"
        )
    return found_url, found_key


def check_owner(user: str | None, *, holds_key: bool) -> None:
    """Raise ConfigurationError for a client with a key if no user is named."""
    if user is None and holds_key:
        raise ConfigurationError(
            "The inbox has no user. Call inbox(user); only a client with a user's own token needs no name"
        )
