-- The tables of the archive. Ids are the 16 bytes of a UUID; times are Unix milliseconds. `log` is the base of
-- the log without its tenant: `u/ana`. An index of a table without rowid has the rest of the primary key, too.

create table tidings_notifications (
    tenant text not null,
    id blob not null,
    at integer not null,
    category text not null,
    status text not null,
    stored_at integer,
    recipients integer,
    position integer not null,
    delivered integer not null,
    seen integer not null,
    read integer not null,
    topics integer not null,
    actions text,
    target blob not null,
    content blob not null,
    primary key (tenant, id, at)
) strict, without rowid;

create table tidings_entries (
    tenant text not null,
    log text not null,
    position integer not null,
    at integer not null,
    id blob not null,
    category text not null,
    expires integer,
    exclude text,
    delivered integer not null,
    seen integer not null,
    read integer not null,
    seen_at integer,
    read_at integer,
    archived_at integer,
    action text,
    action_at integer,
    primary key (tenant, log, position, at)
) strict, without rowid;

create index tidings_entries_by_id on tidings_entries (tenant, id, log);

create table tidings_segments (
    tenant text not null,
    username text not null,
    log text not null,
    after integer not null,
    up_to integer not null,
    saved_at integer not null,
    state blob not null,
    primary key (tenant, username, log, after)
) strict, without rowid;

-- The number of the last claim on each partition of the store, see `Archive.claim`.
create table tidings_claims (
    partition integer primary key,
    number integer not null
) strict;
