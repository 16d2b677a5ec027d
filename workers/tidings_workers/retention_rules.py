"""How long the notifications of each tenant are kept."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from tidings.protocol import limits
from tidings_workers.tenants import DEFAULT, Tenant

_DAY_MS: Final = 86_400_000


class Rules(Struct, frozen=True):
    """The retention of one tenant, in milliseconds; None is without limit.

    `categories`: pairs of a category, or of a prefix that ends in ".", and its time. The longest name is
    first, and the first that matches applies; `default` applies to all other categories. `lookback` limits
    sends to all further. `topics` is the time of all sends to topics. `archived`: the archive gets what is
    removed for its age.
    """

    default: int | None
    categories: tuple[tuple[str, int | None], ...] = ()
    lookback: int | None = None
    topics: int = limits.TOPIC_RETENTION_SECONDS * 1000
    archived: bool = False

    def keep(self, category: str | None) -> int | None:
        """The retention of a category."""
        if category is not None:
            for name, kept in self.categories:
                if category == name or (name.endswith(".") and category.startswith(name)):
                    return kept
        return self.default

    def of_all(self) -> "Rules":
        """The rules for sends to all."""
        if self.lookback is None:
            return self
        return Rules(
            _shorter(self.default, self.lookback),
            tuple((name, _shorter(kept, self.lookback)) for name, kept in self.categories),
            topics=self.topics,
            archived=self.archived,
        )

    @property
    def longest(self) -> int | None:
        """The longest of all times."""
        kept = [self.default, *(each for _, each in self.categories)]
        known = [each for each in kept if each is not None]
        return max(known) if len(known) == len(kept) else None


def _shorter(kept: int | None, most: int) -> int:
    return most if kept is None else min(kept, most)


def rules_of(tenant: Tenant | None, default: int | None, *, archives: bool = False) -> Rules:
    """A tenant's rules; `default` (ms) applies where the tenant sets none, or is not known.

    `archives`: this installation has an archive.
    """
    if tenant is None:
        return Rules(default)
    days = tenant.retention_days
    categories = sorted(tenant.category_retention.items(), key=lambda rule: (-len(rule[0]), rule[0]))
    return Rules(
        default if days == DEFAULT else _milliseconds(days),
        tuple((name, _milliseconds(days)) for name, days in categories),
        None if tenant.all_lookback is None else tenant.all_lookback * 1000,
        tenant.topic_retention * 1000,
        archives and tenant.archive,
    )


def _milliseconds(days: int | None) -> int | None:
    return None if days is None else days * _DAY_MS


class Policies:
    """The rules of every tenant, as this process knows them now.

    `default`: milliseconds, for tenants that set no retention. `archives`: this installation has an archive.
    Until `follow` is called, no tenant is known.
    """

    def __init__(self, default: int, *, archives: bool = False) -> None:
        self._default = default
        self._archives = archives
        self._tenant: Callable[[str], Tenant | None] = lambda _: None
        self._rules: dict[str, tuple[Tenant, Rules]] = {}
        self._of_unknown = Rules(default, archived=archives)

    def follow(self, tenant: Callable[[str], Tenant | None]) -> None:
        """Look tenants up with this function from now on, such as `RegistryView.tenant`.

        It knows all tenants: one that it does not find is deleted, and the archive gets nothing of it.
        """
        self._tenant = tenant
        self._of_unknown = Rules(self._default)

    def rules(self, tenant: str) -> Rules:
        """The tenant's rules."""
        record = self._tenant(tenant)
        if record is None:
            return self._of_unknown
        known = self._rules.get(tenant)
        if known is None or known[0] is not record:
            known = self._rules[tenant] = (record, rules_of(record, self._default, archives=self._archives))
        return known[1]
