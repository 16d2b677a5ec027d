"""A tenant and its settings: origins, retention, sessions."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, Literal, TypedDict, TypeVar, get_args

from msgspec import UNSET, Struct, UnsetType, structs

from tidings.protocol import limits
from tidings_workers import standard_webhooks, topic_patterns
from tidings_workers.egress.urls import InvalidUrl, read_url
from tidings_workers.origins import InvalidOrigin, is_listed, listed_form
from tidings_workers.webhook_endpoints import Webhook

Days = Literal[7, 30, 90, 365]
DAYS: Final[tuple[int, ...]] = get_args(Days)

T = TypeVar("T")

# None is without limit; "default" is the server's setting at the time.
Retention = Days | None
DEFAULT: Final = "default"

ARCHIVE_DAYS: Final = 365
"""How long the archive keeps notifications, unless a tenant sets another time."""
ARCHIVE_DAYS_MAXIMUM: Final = 36_500

Sessions = Literal["many", "replace", "reject"]
SESSIONS: Final[tuple[str, ...]] = get_args(Sessions)

# A retention sweep reads each log once an hour.
LEAST_LOOKBACK_SECONDS: Final = 3_600


class RegistryError(ValueError):
    """A change that is not possible, with the reason. Nothing was changed."""


class InvalidValue(RegistryError):
    """A value that is never allowed, with the values that are."""


class Upstream(Struct, frozen=True):
    """The endpoint that answers the messages of a tenant's clients, and the secret that signs its calls."""

    url: str
    secret: str

    def __repr__(self) -> str:
        # Without the secret: a repr may be logged.
        return f"Upstream(url={self.url!r})"


class Tenant(Struct, frozen=True, kw_only=True):
    """One customer.

    `origins`: the origins of web pages that may connect; empty admits all. `category_retention` overrides
    `retention_days` for a category, or for all categories with a prefix that ends in ".". Users see sends to
    all for at most `all_lookback` seconds. `sessions` decides about a user's connection beyond
    `session_limit`: it is refused ("many", "reject"), or replaces the oldest connection ("replace"). Topics
    keep their entries for `topic_retention` seconds; every connection may subscribe to those that match a
    pattern of `open_topics`. `guests`: clients without a token may connect by STOMP, see
    `gateway.guests`; it is unset in the record of an earlier version, which means that they may not.
    `upstream` answers the messages of clients, and `webhooks` receive events; never answer or log their
    secrets. `archive`: what the retention removes goes into the archive of the installation, and is kept
    there for `archive_retention` days, or as `category_archive_retention` says.
    """

    id: str
    origins: tuple[str, ...] = ()
    created_at: datetime
    retention_days: Retention | Literal["default"] = DEFAULT
    category_retention: dict[str, Retention] = {}
    all_lookback: int | None = None
    sessions: Sessions = "many"
    session_limit: int | None = None
    topic_retention: int = limits.TOPIC_RETENTION_SECONDS
    open_topics: tuple[str, ...] = ()
    guests: bool | UnsetType = UNSET
    upstream: Upstream | None = None
    webhooks: tuple[Webhook, ...] = ()
    archive: bool = True
    archive_retention: int | None = ARCHIVE_DAYS
    category_archive_retention: dict[str, int | None] = {}

    @property
    def connections_per_user(self) -> int | None:
        """How many connections a user may have at once; None when the tenant sets no limit.

        Without a `session_limit`, `replace` and `reject` allow one connection.
        """
        if self.session_limit is None and self.sessions != "many":
            return 1
        return self.session_limit

    def admits(self, origin: str) -> bool:
        """Whether pages of this origin (in the form that browsers send) may connect and read responses."""
        return not self.origins or is_listed(origin, self.origins)


class TenantSettings(TypedDict, total=False):
    """Settings to change; the others keep their values. `origins` and `open_topics` replace the list.

    A `topic_retention` of None is the default.
    """

    origins: Iterable[str]
    retention_days: int | str | None
    category_retention: Mapping[str, int | str | None]
    all_lookback: int | None
    sessions: str
    session_limit: int | None
    topic_retention: int | None
    open_topics: Iterable[str]
    guests: bool
    upstream: Upstream | None
    archive: bool
    archive_retention: int | str | None
    category_archive_retention: Mapping[str, int | str | None]


def changed(tenant: Tenant, settings: TenantSettings) -> Tenant:
    """The tenant with these settings. Raises InvalidValue.

    Rules of categories are merged with the present ones; "default" removes the rule of a category.
    """
    if "origins" in settings:
        tenant = structs.replace(tenant, origins=_origins(settings["origins"]))
    if "retention_days" in settings:
        days = settings["retention_days"]
        tenant = structs.replace(tenant, retention_days=DEFAULT if days == DEFAULT else _retention(days))
    if "category_retention" in settings:
        rules = _with_rules(tenant.category_retention, settings["category_retention"], _retention)
        tenant = structs.replace(tenant, category_retention=rules)
    if "all_lookback" in settings:
        lookback = _at_least(LEAST_LOOKBACK_SECONDS, settings["all_lookback"], "a look back is")
        tenant = structs.replace(tenant, all_lookback=lookback)
    if "sessions" in settings:
        sessions = settings["sessions"]
        if sessions not in SESSIONS:
            raise InvalidValue(f"sessions are {', '.join(SESSIONS)}, not {sessions!r}")
        tenant = structs.replace(tenant, sessions=sessions)
    if "session_limit" in settings:
        limit = _at_least(1, settings["session_limit"], "a session limit is")
        tenant = structs.replace(tenant, session_limit=limit)
    return _with_archive(_with_topics(tenant, settings), settings)


def _with_archive(tenant: Tenant, settings: TenantSettings) -> Tenant:
    """The tenant with the settings of the archive."""
    if "archive" in settings:
        tenant = structs.replace(tenant, archive=settings["archive"])
    if "archive_retention" in settings:
        days = settings["archive_retention"]
        kept = ARCHIVE_DAYS if days == DEFAULT else _archive_days(days)
        tenant = structs.replace(tenant, archive_retention=kept)
    if "category_archive_retention" in settings:
        rules = _with_rules(
            tenant.category_archive_retention, settings["category_archive_retention"], _archive_days
        )
        tenant = structs.replace(tenant, category_archive_retention=rules)
    return tenant


def _archive_days(days: object) -> int | None:
    if days is None or (isinstance(days, int) and 1 <= days <= ARCHIVE_DAYS_MAXIMUM):
        return days
    raise InvalidValue(
        f"a retention of the archive is 1 to {ARCHIVE_DAYS_MAXIMUM} days, forever or default, not {days!r}"
    )


def _with_topics(tenant: Tenant, settings: TenantSettings) -> Tenant:
    """The tenant with the settings of topics, of guests that subscribe to them, and of the upstream."""
    if "topic_retention" in settings:
        tenant = structs.replace(tenant, topic_retention=_topic_retention(settings["topic_retention"]))
    if "open_topics" in settings:
        tenant = structs.replace(tenant, open_topics=_open_topics(settings["open_topics"]))
    if "guests" in settings:
        tenant = structs.replace(tenant, guests=settings["guests"])
    if "upstream" in settings:
        tenant = structs.replace(tenant, upstream=_upstream(settings["upstream"]))
    return tenant


def _upstream(upstream: Upstream | None) -> Upstream | None:
    if upstream is not None:
        try:
            read_url(upstream.url)
        except InvalidUrl as error:
            raise InvalidValue(str(error)) from None
        if not standard_webhooks.is_secret(upstream.secret):
            raise InvalidValue(f"a secret of an upstream is {standard_webhooks.SECRET_RULE}")
    return upstream


def _at_least(least: int, value: int | None, what: str) -> int | None:
    if value is not None and value < least:
        raise InvalidValue(f"{what} {least} or more, not {value}")
    return value


def _topic_retention(seconds: int | None) -> int:
    if seconds is None:
        return limits.TOPIC_RETENTION_SECONDS
    if not 1 <= seconds <= limits.TOPIC_RETENTION_MAXIMUM:
        raise InvalidValue(f"a retention of topics is 1 to {limits.TOPIC_RETENTION_MAXIMUM} s, not {seconds}")
    return seconds


def _open_topics(patterns: Iterable[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(patterns))
    fault = topic_patterns.fault(found)
    if fault is not None:
        raise InvalidValue(fault)
    return found


def _with_rules(
    rules: Mapping[str, T], changes: Mapping[str, int | str | None], checked: Callable[[object], T]
) -> dict[str, T]:
    """The rules of categories with these changes, whose days are checked."""
    after = dict(rules)
    for category, days in changes.items():
        if not category:
            raise InvalidValue("a rule needs a category, or a prefix of categories such as orders.")
        after.pop(category, None)
        if days != DEFAULT:
            after[category] = checked(days)
    return after


def _retention(days: object) -> Retention:
    if days is None or days in DAYS:
        return days  # type: ignore[return-value]  # `in` has compared it with each of them
    named = ", ".join(map(str, DAYS))
    raise InvalidValue(f"a retention is {named} days, forever or default, not {days!r}")


def _origins(origins: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_origin(origin) for origin in origins))


def _origin(text: str) -> str:
    try:
        return listed_form(text)
    except InvalidOrigin as error:
        raise InvalidValue(str(error)) from error
