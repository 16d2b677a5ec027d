"""The URL of an archive. Pure. No error and no text for people has its password."""

import re
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit, urlunsplit

from tidings_workers.archive.errors import ArchiveMisconfigured

_ACCEPTED: Final = (
    "use sqlite:///absolute/path/of/archive.db, postgresql://user:password@host:5432/database, or none"
)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")
_NONE: Final = "none"
_CACHE: Final = "statement_cache_size"


class SqliteUrl(NamedTuple):
    """A file on this machine."""

    path: Path


class PostgresqlUrl(NamedTuple):
    """A PostgreSQL database. `dsn` has the password, `shown` has not.

    `statement_cache_size` is None unless the URL has it: 0 is needed behind a pooler that gives each
    transaction another connection.
    """

    dsn: str
    shown: str
    user: str
    statement_cache_size: int | None

    def __repr__(self) -> str:
        return f"PostgresqlUrl({self.shown!r})"


def parse(url: str) -> SqliteUrl | PostgresqlUrl | None:
    """The place that a URL names; None for ``none``. Raises ArchiveMisconfigured."""
    if url.strip() == _NONE:
        return None
    scheme = _SCHEME.match(url)
    match scheme[0].lower() if scheme else "":
        case "sqlite":
            return _sqlite(url)
        case "postgresql" | "postgres":
            return _postgresql(url)
        case "":
            raise ArchiveMisconfigured(f"the URL of the archive has no scheme: {_ACCEPTED}")
        case other:
            raise ArchiveMisconfigured(f"the archive has no scheme {other!r}: {_ACCEPTED}")


def _sqlite(url: str) -> SqliteUrl:
    rest = url.partition(":")[2]
    path = unquote(rest.removeprefix("//"))
    if not rest.startswith("///") or "?" in rest or "\0" in path or not path.strip("/"):
        raise ArchiveMisconfigured(
            "the URL of the archive names no file by its absolute path: "
            "use sqlite:///absolute/path/of/archive.db"
        )
    return SqliteUrl(Path("/" + path.lstrip("/")))


def _postgresql(url: str) -> PostgresqlUrl:
    try:
        parts = urlsplit(url)
        # A special character of a password that is not encoded ends the host too early.
        if parts.fragment or "@" in parts.path + parts.query:
            raise ValueError  # noqa: TRY301 - the same fault as one that the parser finds
        user = unquote(parts.username or "")
        hosts = _hosts(parts.netloc.rpartition("@")[2])
        query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        hosts = hosts or query["host"][-1]
    except (ValueError, KeyError):
        raise ArchiveMisconfigured(
            "the URL of the archive names no PostgreSQL server: "
            "use postgresql://user:password@host:5432/database, and encode special characters of the password"
        ) from None
    cache = query.pop(_CACHE, [])
    if cache and not cache[-1].isdecimal():
        raise ArchiveMisconfigured(f"{_CACHE} in the URL of the archive is no number: use ?{_CACHE}=0")
    rest = urlencode(query, doseq=True, quote_via=quote)
    return PostgresqlUrl(
        urlunsplit(("postgresql", parts.netloc, parts.path, rest, "")),
        f"postgresql://{hosts}/{parts.path.strip('/')}",
        user,
        int(cache[-1]) if cache else None,
    )


def _hosts(text: str) -> str:
    """The hosts of a URL, with commas between them. Raises ValueError when one is not valid."""
    for host in text.split(",") if text else ():
        if not urlsplit(f"//{host}").hostname or urlsplit(f"//{host}").port == 0:
            raise ValueError
    return text


def place_of(url: str) -> str:
    """The place that a URL names, without a password, for people. Raises ArchiveMisconfigured."""
    place = parse(url)
    if place is None:
        return _NONE
    return str(place.path) if isinstance(place, SqliteUrl) else place.shown


def has_password(url: str) -> bool:
    """Whether the URL has a password. Raises ArchiveMisconfigured."""
    place = parse(url)
    if not isinstance(place, PostgresqlUrl):
        return False
    parts = urlsplit(place.dsn)
    return bool(parts.password) or "password" in parse_qs(parts.query)
