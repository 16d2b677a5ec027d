"""The options that create and change a tenant's settings."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from tidings.protocol import limits
from tidings_api.cli.errors import WrongUsage
from tidings_workers.standard_webhooks import new_secret
from tidings_workers.tenants import (
    ARCHIVE_DAYS,
    DAYS,
    DEFAULT,
    LEAST_LOOKBACK_SECONDS,
    SESSIONS,
    TenantSettings,
    Upstream,
)

FOREVER = "forever"
_NONE = "none"
_KEPT = f"{', '.join(map(str, DAYS))} days, {FOREVER} or {DEFAULT}"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TenantOptions:
    """The options for a tenant's retention, sessions, topics and upstream."""

    retention: Annotated[
        str | None,
        Parameter(
            name="--retention",
            help=f"Retention of notifications: {_KEPT} (TIDINGS_RETENTION_SECONDS). It also applies to "
            "stored notifications.",
        ),
    ] = None
    category_retention: Annotated[
        list[str] | None,
        Parameter(
            name="--category-retention",
            negative="",
            consume_multiple=True,
            help="Retention of one category, as chat=7, or of all categories that begin with a name, as "
            "orders.=365; the longest name wins. default removes a rule. Repeat it for more.",
        ),
    ] = None
    all_lookback: Annotated[
        str | None,
        Parameter(
            name="--all-lookback",
            help=f"Seconds for which users see a notification to all: {LEAST_LOOKBACK_SECONDS} or more, or "
            f"{_NONE} for its whole retention.",
        ),
    ] = None
    sessions: Annotated[
        str | None,
        Parameter(
            name="--sessions",
            help="The rule for a user's connection beyond the limit: it is refused (many, reject) or "
            "replaces the oldest one (replace).",
        ),
    ] = None
    session_limit: Annotated[
        str | None,
        Parameter(
            name="--session-limit",
            help=f"Connections per user: a number, or {_NONE}: 1 for replace and reject, and no limit for "
            "many.",
        ),
    ] = None

    topic_retention: Annotated[
        str | None,
        Parameter(
            name="--topic-retention",
            help=f"Seconds for which topics keep notifications: 1 to {limits.TOPIC_RETENTION_MAXIMUM:,}, or "
            f"{DEFAULT} ({limits.TOPIC_RETENTION_SECONDS:,}).",
        ),
    ] = None
    open_topics: Annotated[
        list[str] | None,
        Parameter(
            name="--open-topic",
            negative="",
            consume_multiple=True,
            help="A pattern of topics to which every connection may subscribe: news/** or user/{sub}, for "
            "example. Repeat it for more; the list is replaced.",
        ),
    ] = None
    no_open_topics: Annotated[
        bool, Parameter(name="--no-open-topics", negative="", help="Open no topics.")
    ] = False
    guests: Annotated[
        bool | None,
        Parameter(
            name="--guests",
            help="Let STOMP clients without a token connect as guests: they may subscribe to the open topics "
            "and send to /app/..., nothing else.",
        ),
    ] = None
    archive: Annotated[
        bool | None,
        Parameter(
            name="--archive",
            help="Put what the retention removes into the archive of the installation (TIDINGS_ARCHIVE_URL).",
        ),
    ] = None
    archive_retention: Annotated[
        str | None,
        Parameter(
            name="--archive-retention",
            help=f"Retention of the archive: a number of days, {FOREVER} or {DEFAULT} ({ARCHIVE_DAYS}).",
        ),
    ] = None
    category_archive_retention: Annotated[
        list[str] | None,
        Parameter(
            name="--category-archive-retention",
            negative="",
            consume_multiple=True,
            help="Retention of the archive for one category or all that begin with a name, as "
            f"audit.={FOREVER}; the longest name wins. default removes a rule. Repeat it for more.",
        ),
    ] = None
    upstream: Annotated[
        str | None,
        Parameter(
            name="--upstream",
            help="The http or https URL that answers messages of clients. It gets a new secret, shown once.",
        ),
    ] = None
    no_upstream: Annotated[
        bool, Parameter(name="--no-upstream", negative="", help="Answer no messages of clients.")
    ] = False

    def settings(self) -> TenantSettings:
        """The settings that the options name. The registry checks their ranges."""
        settings: TenantSettings = {}
        if self.retention is not None:
            settings["retention_days"] = _days(self.retention, "--retention")
        if self.category_retention is not None:
            settings["category_retention"] = _rules(self.category_retention, "--category-retention", _days)
        if self.archive is not None:
            settings["archive"] = self.archive
        if self.archive_retention is not None:
            settings["archive_retention"] = _archive_days(self.archive_retention, "--archive-retention")
        if self.category_archive_retention is not None:
            settings["category_archive_retention"] = _rules(
                self.category_archive_retention, "--category-archive-retention", _archive_days
            )
        if self.all_lookback is not None:
            settings["all_lookback"] = _number(self.all_lookback, "--all-lookback")
        if self.sessions is not None:
            if self.sessions not in SESSIONS:
                raise WrongUsage(f"--sessions is {', '.join(SESSIONS)}, not {self.sessions!r}")
            settings["sessions"] = self.sessions
        if self.session_limit is not None:
            settings["session_limit"] = _number(self.session_limit, "--session-limit")
        return settings | self._topic_settings()

    def _topic_settings(self) -> TenantSettings:
        settings: TenantSettings = {}
        if self.topic_retention is not None:
            of_topics = self.topic_retention
            settings["topic_retention"] = (
                None if of_topics == DEFAULT else _seconds(of_topics, "--topic-retention")
            )
        if self.open_topics and self.no_open_topics:
            raise WrongUsage("--open-topic and --no-open-topics exclude each other: use one of them")
        if self.open_topics or self.no_open_topics:
            settings["open_topics"] = self.open_topics or ()
        if self.guests is not None:
            settings["guests"] = self.guests
        if self.upstream is not None and self.no_upstream:
            raise WrongUsage("--upstream and --no-upstream exclude each other: use one of them")
        if self.upstream is not None or self.no_upstream:
            settings["upstream"] = (
                Upstream(self.upstream, new_secret()) if self.upstream is not None else None
            )
        return settings


def _rules(
    written: Iterable[str], option: str, days_of: Callable[[str, str], int | str | None]
) -> dict[str, int | str | None]:
    """Rules of categories, each written as ``orders.=365``."""
    rules: dict[str, int | str | None] = {}
    for rule in written:
        # A category may contain an equals sign.
        category, sign, days = rule.rpartition("=")
        if not sign or not category:
            raise WrongUsage(f"{option} is written as orders.=365, not {rule!r}")
        rules[category] = days_of(days, option)
    return rules


def _number(text: str, option: str) -> int | None:
    if text == _NONE:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise WrongUsage(f"{option} is a number or {_NONE}, not {text!r}")
    return int(text)


def _seconds(text: str, option: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise WrongUsage(f"{option} is a number of seconds or {DEFAULT}, not {text!r}")
    return int(text)


def _days(text: str, option: str) -> int | str | None:
    if text == FOREVER:
        return None
    if text == DEFAULT:
        return DEFAULT
    if text not in map(str, DAYS):
        raise WrongUsage(f"{option} is {_KEPT}, not {text!r}")
    return int(text)


def _archive_days(text: str, option: str) -> int | str | None:
    if text == FOREVER:
        return None
    if text == DEFAULT:
        return DEFAULT
    if not (text.isascii() and text.isdecimal()):
        raise WrongUsage(f"{option} is a number of days, {FOREVER} or {DEFAULT}, not {text!r}")
    return int(text)


NO_OPTIONS = TenantOptions()
