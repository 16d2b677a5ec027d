"""The parts of a base, which is a key without its hash tag. `keys` makes them."""

from typing import Final, NamedTuple, cast

from tidings_workers.store.key_parts import Kind

SLASH: Final = "%2F"
"""A slash within a topic; no name contains the percent sign."""


class Base(NamedTuple):
    """The parts of a base. `id` is the user, group or topic, and empty where the base has none."""

    kind: Kind
    tenant: str
    id: str


def parse_base(base: str) -> Base:
    """The parts of the base of a log, or of ``s/<tenant>``."""
    kind, _, rest = base.partition("/")
    tenant, _, name = rest.partition("/")
    return Base(cast("Kind", kind), tenant, name.replace(SLASH, "/"))
