"""How long each log keeps its entries, as the scripts of the retention read it."""

from tidings_workers.store.bases import parse_base
from tidings_workers.store.core import RECORD_GRACE_MS, Core
from tidings_workers.store.packing import Packed


class SweepLog(Packed, frozen=True):
    """A log for sweep.lua to look through, and how long it keeps its entries (ms, -1 without limit).

    `categories`: a name or a prefix that ends in a dot, each followed by how long that is kept. `topics`: how
    long a list of sends keeps those to topics. `archived` is 1 if the entries stay for the archive, and 2 if
    they are removed without a copy.
    """

    base: str
    keep: int
    categories: list[str | int]
    topics: int
    archived: int


def sweep_log(core: Core, base: str) -> SweepLog:
    """How long the log, or the list of sends, of a base keeps its entries, by the rules of its tenant."""
    kind, tenant, _ = parse_base(base)
    rules = core.policies.rules(tenant)
    archived = int(rules.archived)
    if kind == "s" and archived:
        # The archiver reads the records when the list is old enough, whichever their category is.
        longest = rules.longest
        keep = -1 if longest is None else longest + RECORD_GRACE_MS
        return SweepLog(base, keep, [], rules.topics + RECORD_GRACE_MS, archived)
    topics = rules.topics
    if kind == "t":
        return SweepLog(base, topics, [], topics, archived)
    if kind == "a":
        rules = rules.of_all()
    named: list[str | int] = []
    for name, kept in rules.categories:
        named += [name, -1 if kept is None else kept]
    keep = -1 if rules.default is None else rules.default
    return SweepLog(base, keep, named, topics, archived)


def longest_of(rule: SweepLog) -> int | None:
    """The longest time (ms) for which a rule keeps anything; None is without limit."""
    kept = [rule.keep, *(time for time in rule.categories[1::2] if isinstance(time, int))]
    return None if -1 in kept else max(kept)
