"""The statements that both databases share, with arguments ``$1``, ``$2``.

Without its notification an entry does not exist for readers.
"""

from typing import Final

from tidings_workers.archive.encoding import (
    ENTRY_COLUMNS,
    NOTIFICATION_COLUMNS,
    SEGMENT_COLUMNS,
    STATE_COLUMNS,
)

ENTRY: Final = ", ".join(f"e.{column}" for column in ENTRY_COLUMNS)
_OF_ENTRY: Final = "tidings_notifications n where n.tenant = e.tenant and n.id = e.id and n.at = e.at"
CONTENT: Final = f"select n.content from {_OF_ENTRY} limit 1"
"""The content of an entry `e`. It is a query of its own, which no planner makes a scan of a whole table."""
_NOTIFICATION: Final = ", ".join(f"n.{column}" for column in NOTIFICATION_COLUMNS)

# The columns of a notification that a later append replaces.
_REPLACED: Final = (
    "status",
    "stored_at",
    "recipients",
    "position",
    "delivered",
    "seen",
    "read",
    "actions",
)


def _replace(columns: tuple[str, ...]) -> str:
    return "do update set " + ", ".join(f"{column} = excluded.{column}" for column in columns)


_SAME_ENTRY: Final = "on conflict (tenant, log, position, at)"
KEEP_ENTRY: Final = f"{_SAME_ENTRY} do nothing"
REPLACE_STATE: Final = f"{_SAME_ENTRY} {_replace(STATE_COLUMNS)}"
REPLACE_RECEIPTS: Final = f"on conflict (tenant, id, at) {_replace(_REPLACED)}"


def insert(table: str, columns: tuple[str, ...], conflict: str) -> str:
    """A statement that inserts a row, with an argument per column."""
    values = ", ".join(f"${number + 1}" for number in range(len(columns)))
    return f"insert into {table} ({', '.join(columns)}) values ({values}) {conflict}"


def in_state(state: str) -> str:
    """The condition that an entry `e` is in the state of a column or argument; '' is any."""
    return (
        f"case {state} when 'listed' then e.archived_at is null "
        "when 'archived' then e.archived_at is not null "
        "when 'unseen' then e.seen_at is null and e.archived_at is null "
        "when 'unread' then e.read_at is null and e.archived_at is null "
        "when 'seen' then e.seen_at is not null and e.archived_at is null "
        "when 'read' then e.read_at is not null and e.archived_at is null "
        "else true end"
    )


SAVE_SEGMENT: Final = insert(
    "tidings_segments", SEGMENT_COLUMNS, "on conflict (tenant, username, log, after) do nothing"
)

NOTIFICATION: Final = (
    f"select {_NOTIFICATION} from tidings_notifications n where tenant = $1 and id = $2 and at = $3"
)
_SENT_SPAN: Final = (
    "from tidings_notifications where tenant = $1 and id > $2 and id < $3 and at >= $4 and at < $5 "
    "order by id {order}"
)
_SENT: Final = (
    f"select {_NOTIFICATION} from (select * {_SENT_SPAN} limit $6) n "
    "where n.category between $7 and $8 and ($9 or not n.topics) order by n.id {order} limit $10"
)
SENT: Final = {newest: _SENT.format(order="desc" if newest else "asc") for newest in (False, True)}
_SENT_EDGE: Final = f"select id {_SENT_SPAN} limit 1 offset $6"
SENT_EDGE: Final = {newest: _SENT_EDGE.format(order="desc" if newest else "asc") for newest in (False, True)}

_RECIPIENTS: Final = (
    f"select {ENTRY} from tidings_entries e "
    "where tenant = $1 and id = $2 and at = $3 and log > $4 and log < $5 order by log {order} limit $6"
)
RECIPIENTS: Final = {
    forward: _RECIPIENTS.format(order="asc" if forward else "desc") for forward in (False, True)
}

LATEST_STATE: Final = (
    "select log, max(up_to) from tidings_segments where tenant = $1 and username = $2 group by log"
)
SEGMENTS: Final = (
    f"select {', '.join(SEGMENT_COLUMNS)} from tidings_segments "
    "where tenant = $1 and (username, log, after) > ($2, $3, $4) order by username, log, after limit $5"
)
SEGMENT_KEYS: Final = (
    "select tenant, username, log, after, saved_at from tidings_segments "
    "where tenant = $1 and (username, log, after) > ($2, $3, $4) order by username, log, after limit $5"
)
USER_SEGMENT_KEYS: Final = (
    "select tenant, username, log, after from tidings_segments where tenant = $1 and username = $2 limit $3"
)
REMOVE_SEGMENT: Final = (
    "delete from tidings_segments where tenant = $1 and username = $2 and log = $3 and after = $4"
)
REMOVE_FORMER_SEGMENTS: Final = (
    "delete from tidings_segments where tenant = $1 and username = $2 and saved_at < $3"
)

# In each of these a row begins with the key of an entry.
_KEY: Final = "e.tenant, e.log, e.position, e.at, e.id"
ENTRIES_AT: Final = (
    f"select {_KEY} from tidings_entries e "
    "where tenant = $1 and log = $2 and position > $3 and position <= $4 and at >= $5 "
    "order by position limit $6"
)
ENTRIES_OF: Final = (
    f"select {_KEY} from tidings_entries e where tenant = $1 and id = $2 and at = $3 order by log limit $4"
)
ENTRIES_OF_USER: Final = (
    f"select {_KEY}, (select n.target from {_OF_ENTRY} limit 1) from tidings_entries e "
    "where e.tenant = $1 and e.log = $2 order by e.position limit $3"
)
ENTRIES_OF_TENANT: Final = f"select {_KEY} from tidings_entries e where tenant = $1 limit $2"
OLDEST_ENTRIES: Final = (
    f"select {_KEY}, e.category from tidings_entries e "
    "where tenant = $1 and (id, log) > ($2, $3) and id < $4 and at >= $5 and at < $6 "
    "order by id, log limit $7"
)
REMOVE_ENTRY: Final = (
    "delete from tidings_entries where tenant = $1 and log = $2 and position = $3 and at = $4"
)

NOTIFICATIONS_OF_TENANT: Final = "select tenant, id, at from tidings_notifications where tenant = $1 limit $2"
OLDEST_NOTIFICATIONS: Final = (
    "select tenant, id, at, category from tidings_notifications "
    "where tenant = $1 and id > $2 and id < $3 and at >= $4 and at < $5 order by id limit $6"
)
REMOVE_NOTIFICATION: Final = "delete from tidings_notifications where tenant = $1 and id = $2 and at = $3"
REMOVE_UNUSED_NOTIFICATION: Final = (
    f"{REMOVE_NOTIFICATION} and not exists "
    "(select 1 from tidings_entries e where e.tenant = $1 and e.id = $2 and e.at = $3)"
)


def _tenants(table: str) -> str:
    # Each row takes one search of the index, however many rows a tenant has.
    return (
        f"with recursive t (tenant) as (select min(tenant) from {table} union all "
        f"select (select min(tenant) from {table} where tenant > t.tenant) "
        "from t where t.tenant is not null) "
    )


_TENANTS: Final = _tenants("tidings_notifications")
TENANTS: Final = [
    f"{_tenants(table)} select tenant from t where tenant is not null"
    for table in ("tidings_notifications", "tidings_segments")
]
_END_OF_TENANT: Final = (
    "(select at from tidings_notifications n where n.tenant = t.tenant order by id {order} limit 1)"
)
ENDS: Final = (
    f"{_TENANTS} select min({_END_OF_TENANT.format(order='asc')}), "
    f"max({_END_OF_TENANT.format(order='desc')}) "
    "from t where tenant is not null"
)

EXPORT: Final = (
    f"select {ENTRY}, ({CONTENT}) from tidings_entries e where e.tenant = $1 and (e.id, e.log) > ($2, $3) "
    "and e.id < $4 and e.at >= $5 and e.at < $6 order by e.id, e.log limit $7"
)

# A number of the database: a claim that is executed twice, or late, can't bring an earlier one back.
CLAIM: Final = (
    "insert into tidings_claims (partition, number) values ($1, 1) "
    "on conflict (partition) do update set number = tidings_claims.number + 1 returning number"
)
CLAIMED: Final = "select number from tidings_claims where partition = $1"


VERSION: Final = "select version from tidings_archive"
CREATE_VERSION: Final = "create table if not exists tidings_archive (version integer not null)"
