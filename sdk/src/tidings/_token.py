"""The token of a user, as a dict that a web framework can return."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tidings._public import publish


class UserToken(dict[str, str]):
    """A token for one user's own inbox, and the URL to connect to with it.

    It is a dict with the fields of the API's answer, `token`, `expires_at` and `realtime_url`, so that a web
    framework can return it to the browser unchanged. The fields are also attributes, `expires_at` as a
    datetime.
    """

    @property
    def token(self) -> str:
        """The JWT."""
        return self["token"]

    @property
    def expires_at(self) -> datetime:
        """The time when it expires, in UTC."""
        return datetime.fromisoformat(self["expires_at"])

    @property
    def realtime_url(self) -> str:
        """The WebSocket URL to connect to with it."""
        return self["realtime_url"]

    def to_dict(self) -> dict[str, str]:
        """The same as a plain dict."""
        return dict(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: object, handler: Callable[[object], Any]) -> Any:
        # FastAPI calls it for a route with the annotation `-> UserToken`.
        return handler(dict[str, str])

    def __repr__(self) -> str:
        # Without the token: a repr may end up in a log.
        return f"UserToken(expires_at={self['expires_at']!r}, realtime_url={self['realtime_url']!r})"


publish(globals())
