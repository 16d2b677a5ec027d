"""Which rows are too old. Pure: the clock is an argument."""

from tidings_workers.archive.rows import ArchiveRules


def ordered(rules: ArchiveRules) -> ArchiveRules:
    """The same rules with the longest name first, so that the first match applies."""
    return ArchiveRules(
        rules.default, tuple(sorted(rules.categories, key=lambda rule: (-len(rule[0]), rule[0])))
    )


def kept(rules: ArchiveRules, category: str) -> int | None:
    """How long (ms) `ordered` rules keep a category; None is for ever."""
    for name, milliseconds in rules.categories:
        if category == name or (name.endswith(".") and category.startswith(name)):
            return milliseconds
    return rules.default


def is_due(rules: ArchiveRules, category: str, at: int, now: int) -> bool:
    """Whether `ordered` rules let a row of this category and time be removed."""
    milliseconds = kept(rules, category)
    return milliseconds is not None and at < now - milliseconds


def newest_due(rules: ArchiveRules, now: int) -> int | None:
    """Every row that is due was accepted before this time. None: no row can be due."""
    times = [each for each in (rules.default, *(each for _, each in rules.categories)) if each is not None]
    return now - min(times) if times else None


def oldest_kept(rules: ArchiveRules, now: int) -> int | None:
    """Every row from before this time is due. None: some are kept for ever."""
    times = [rules.default, *(each for _, each in rules.categories)]
    finite = [each for each in times if each is not None]
    return now - max(finite) if len(finite) == len(times) else None
