-- The tables of the archive. Times are Unix milliseconds. `log` is the base of the log without its tenant:
-- `u/ana`. There is no default partition: its rows would forbid to make their month later. The segments are
-- not partitioned, because their key has no time.

create table tidings_notifications (
    tenant text collate "C" not null,
    id uuid not null,
    at bigint not null,
    category text collate "C" not null,
    status text collate "C" not null,
    stored_at bigint,
    recipients bigint,
    position bigint not null,
    delivered bigint not null,
    seen bigint not null,
    read bigint not null,
    topics boolean not null,
    actions text collate "C",
    target bytea not null,
    content bytea not null,
    primary key (tenant, id, at)
) partition by range (at);

create table tidings_entries (
    tenant text collate "C" not null,
    log text collate "C" not null,
    position bigint not null,
    at bigint not null,
    id uuid not null,
    category text collate "C" not null,
    expires bigint,
    exclude text collate "C",
    delivered boolean not null,
    seen boolean not null,
    read boolean not null,
    seen_at bigint,
    read_at bigint,
    archived_at bigint,
    action text collate "C",
    action_at bigint,
    primary key (tenant, log, position, at)
) partition by range (at);

create index tidings_entries_by_id on tidings_entries (tenant, id, log);

create table tidings_segments (
    tenant text collate "C" not null,
    username text collate "C" not null,
    log text collate "C" not null,
    after bigint not null,
    up_to bigint not null,
    saved_at bigint not null,
    state bytea not null,
    primary key (tenant, username, log, after)
);

-- The number of the last claim on each partition of the store, see `Archive.claim`.
create table tidings_claims (
    partition integer primary key,
    number bigint not null
);
