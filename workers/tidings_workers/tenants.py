"""What the operator says about a tenant, and what follows from it: origins, retention, sessions."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, Literal, TypedDict, get_args

from msgspec import Struct, structs

from tidings_workers.origins import InvalidOrigin, is_listed, listed_form

Days = Literal[7, 30, 90, 365]
DAYS: Final[tuple[int, ...]] = get_args(Days)

# None keeps for ever; "default" leaves it to the server's setting, also when that changes.
Retention = Days | None
DEFAULT: Final = "default"

Sessions = Literal["many", "replace", "reject"]
SESSIONS: Final[tuple[str, ...]] = get_args(Sessions)

# Logs are looked at once an hour.
LEAST_LOOKBACK_SECONDS: Final = 3_600

_DAY_MS: Final = 86_400_000


class RegistryError(ValueError):
    """A change that can't be made; the text says why. Nothing was changed."""


class InvalidValue(RegistryError):
    """A value that is out of range, whatever is stored; the text says what is allowed."""


class Tenant(Struct, frozen=True, kw_only=True):
    """One customer.

    An empty `origins` lets browsers of any origin connect. `category_retention` says otherwise than
    `retention_days` for a category, or for all that begin with a name ending in ".". What was sent to
    all is seen no longer than `all_lookback` seconds, as far as it is kept. `sessions` says what happens
    to a user's connection beyond `session_limit`: refused ("many", "reject"), or the oldest gives way
    ("replace").
    """

    id: str
    origins: tuple[str, ...] = ()
    created_at: datetime
    retention_days: Retention | Literal["default"] = DEFAULT
    category_retention: dict[str, Retention] = {}
    all_lookback: int | None = None
    sessions: Sessions = "many"
    session_limit: int | None = None

    @property
    def connections_per_user(self) -> int | None:
        """How many connections a user may have at once; None when the tenant sets no limit.

        `replace` and `reject` are about one connection unless told otherwise.
        """
        if self.session_limit is None and self.sessions != "many":
            return 1
        return self.session_limit

    def admits(self, origin: str) -> bool:
        """Whether pages of this origin, as a browser names it, may connect and read answers."""
        return not self.origins or is_listed(origin, self.origins)


class TenantSettings(TypedDict, total=False):
    """What may be said of a tenant; what is left out stays as it is. `origins` replaces the list."""

    origins: Iterable[str]
    retention_days: int | str | None
    category_retention: Mapping[str, int | str | None]
    all_lookback: int | None
    sessions: str
    session_limit: int | None


def changed(tenant: Tenant, settings: TenantSettings) -> Tenant:
    """The tenant with these settings; InvalidValue for one that can't be.

    Categories are merged into those that are there; one with "default" loses its rule.
    """
    if "origins" in settings:
        tenant = structs.replace(tenant, origins=_origins(settings["origins"]))
    if "retention_days" in settings:
        days = settings["retention_days"]
        tenant = structs.replace(tenant, retention_days=DEFAULT if days == DEFAULT else _retention(days))
    if "category_retention" in settings:
        rules = _categories(tenant.category_retention, settings["category_retention"])
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
    return tenant


def _at_least(least: int, value: int | None, what: str) -> int | None:
    if value is not None and value < least:
        raise InvalidValue(f"{what} {least} or more, not {value}")
    return value


def _categories(
    rules: Mapping[str, Retention], changes: Mapping[str, int | str | None]
) -> dict[str, Retention]:
    after = dict(rules)
    for category, days in changes.items():
        if not category:
            raise InvalidValue("a rule is for a category, or for all that begin with a name such as orders.")
        after.pop(category, None)
        if days != DEFAULT:
            after[category] = _retention(days)
    return after


class Rules(Struct, frozen=True):
    """How long a tenant's notifications are kept: milliseconds, None for ever.

    `categories` are pairs of a category, or the beginning of several (ending in "."), and its time,
    the longest name first: the first that fits counts. What was sent to all is seen for no longer than
    `lookback`.
    """

    default: int | None
    categories: tuple[tuple[str, int | None], ...] = ()
    lookback: int | None = None

    def keep(self, category: str | None) -> int | None:
        """How long a notification of this category is kept."""
        if category is not None:
            for name, kept in self.categories:
                if category == name or (name.endswith(".") and category.startswith(name)):
                    return kept
        return self.default

    def of_all(self) -> "Rules":
        """The same for what was sent to all."""
        if self.lookback is None:
            return self
        return Rules(
            _shorter(self.default, self.lookback),
            tuple((name, _shorter(kept, self.lookback)) for name, kept in self.categories),
        )

    @property
    def longest(self) -> int | None:
        """How long anything is kept."""
        kept = [self.default, *(each for _, each in self.categories)]
        known = [each for each in kept if each is not None]
        return max(known) if len(known) == len(kept) else None


def _shorter(kept: int | None, most: int) -> int:
    return most if kept is None else min(kept, most)


def rules_of(tenant: Tenant | None, default: int | None) -> Rules:
    """A tenant's rules; `default` counts where the tenant, or nobody, says anything."""
    if tenant is None:
        return Rules(default)
    days = tenant.retention_days
    categories = sorted(tenant.category_retention.items(), key=lambda rule: (-len(rule[0]), rule[0]))
    return Rules(
        default if days == DEFAULT else _milliseconds(days),
        tuple((name, _milliseconds(days)) for name, days in categories),
        None if tenant.all_lookback is None else tenant.all_lookback * 1000,
    )


class Policies:
    """The rules of every tenant, as a process knows them at this moment.

    `default`: milliseconds for tenants that say nothing. Until `follow` has said where tenants are
    known from, no tenant says anything.
    """

    def __init__(self, default: int) -> None:
        self._default = default
        self._tenant: Callable[[str], Tenant | None] = lambda _: None
        self._rules: dict[str, tuple[Tenant, Rules]] = {}
        self._unsaid = Rules(default)

    def follow(self, tenant: Callable[[str], Tenant | None]) -> None:
        """Have tenants looked up here from now on, such as `RegistryView.tenant`."""
        self._tenant = tenant

    def rules(self, tenant: str) -> Rules:
        """The tenant's rules."""
        record = self._tenant(tenant)
        if record is None:
            return self._unsaid
        known = self._rules.get(tenant)
        if known is None or known[0] is not record:
            known = self._rules[tenant] = (record, rules_of(record, self._default))
        return known[1]


def _milliseconds(days: int | None) -> int | None:
    return None if days is None else days * _DAY_MS


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
