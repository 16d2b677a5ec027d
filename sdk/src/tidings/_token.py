"""A user's token, as a web framework can answer with it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tidings import _publish


class UserToken(dict[str, str]):
    """A token for one user's own inbox, and where to connect with it.

    A dict with the fields of the API's answer, `token`, `expires_at` and `realtime_url`, so that a web
    framework sends it to the browser as it is; the same are attributes, `expires_at` as a datetime.
    """

    @property
    def token(self) -> str:
        """The JWT."""
        return self["token"]

    @property
    def expires_at(self) -> datetime:
        """When it ends, in UTC."""
        return datetime.fromisoformat(self["expires_at"])

    @property
    def realtime_url(self) -> str:
        """Where to connect with it."""
        return self["realtime_url"]

    def to_dict(self) -> dict[str, str]:
        """The same as a plain dict."""
        return dict(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: object, handler: Callable[[object], Any]) -> Any:
        # FastAPI asks for it where a route is annotated with `-> UserToken`.
        return handler(dict[str, str])

    def __repr__(self) -> str:
        # A token in a log is a token given away.
        return f"UserToken(expires_at={self['expires_at']!r}, realtime_url={self['realtime_url']!r})"


_publish(globals())
