"""The options that create and change a tenant's settings."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from tidings_api.cli.errors import WrongUsage
from tidings_workers.tenants import DAYS, DEFAULT, LEAST_LOOKBACK_SECONDS, SESSIONS, TenantSettings

FOREVER = "forever"
_NONE = "none"
_KEPT = f"{', '.join(map(str, DAYS))} days, {FOREVER} or {DEFAULT}"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TenantOptions:
    """The options for a tenant's retention and sessions."""

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

    def settings(self) -> TenantSettings:
        """The settings that the options name. The registry checks their ranges."""
        settings: TenantSettings = {}
        if self.retention is not None:
            settings["retention_days"] = _days(self.retention, "--retention")
        if self.category_retention is not None:
            rules: dict[str, int | str | None] = {}
            for rule in self.category_retention:
                # A category may contain an equals sign.
                category, sign, days = rule.rpartition("=")
                if not sign or not category:
                    raise WrongUsage(f"--category-retention is written as orders.=365, not {rule!r}")
                rules[category] = _days(days, "--category-retention")
            settings["category_retention"] = rules
        if self.all_lookback is not None:
            settings["all_lookback"] = _number(self.all_lookback, "--all-lookback")
        if self.sessions is not None:
            if self.sessions not in SESSIONS:
                raise WrongUsage(f"--sessions is {', '.join(SESSIONS)}, not {self.sessions!r}")
            settings["sessions"] = self.sessions
        if self.session_limit is not None:
            settings["session_limit"] = _number(self.session_limit, "--session-limit")
        return settings


def _number(text: str, option: str) -> int | None:
    if text == _NONE:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise WrongUsage(f"{option} is a number or {_NONE}, not {text!r}")
    return int(text)


def _days(text: str, option: str) -> int | str | None:
    if text == FOREVER:
        return None
    if text == DEFAULT:
        return DEFAULT
    if text not in map(str, DAYS):
        raise WrongUsage(f"{option} is {_KEPT}, not {text!r}")
    return int(text)


NO_OPTIONS = TenantOptions()
