"""`tidings-server tenants`: the customers of an installation."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, Parameter

from tidings_api.cli.errors import CommandFailed, WrongUsage
from tidings_api.cli.output import DataOption, JsonOption, answer, note, table
from tidings_api.cli.stores import operator_store
from tidings_workers.registry import Registry
from tidings_workers.tenants import DAYS, DEFAULT, LEAST_LOOKBACK_SECONDS, SESSIONS, Tenant, TenantSettings

app = App(name="tenants", help="Create, change, list and delete tenants.")

_FOREVER = "forever"
_NONE = "none"
_KEPT_DATA = ("notifications", "inboxes", "groups", "members", "presence")
_KEPT = f"{', '.join(map(str, DAYS))} days, {_FOREVER} or {DEFAULT}"

TenantId = Annotated[str, Parameter(help="The tenant's id: 1 to 40 of a-z 0-9 -.")]
Origins = Annotated[
    list[str] | None,
    Parameter(
        name="--origin",
        negative="",
        consume_multiple=True,
        help="An origin whose pages may connect, such as https://shop.example, or https://*.shop.example for "
        "all subdomains. Repeat it for more. "
        "Without any, pages of every origin may.",
    ),
]
RetentionOption = Annotated[
    str | None,
    Parameter(
        name="--retention",
        help=f"How long notifications are kept: {_KEPT} (TIDINGS_RETENTION_SECONDS). It counts for what "
        "is stored already, too.",
    ),
]
CategoryRetention = Annotated[
    list[str] | None,
    Parameter(
        name="--category-retention",
        negative="",
        consume_multiple=True,
        help="The same for one category, as chat=7, or for all that begin with a name, as orders.=365; the "
        "longest name counts. default takes a rule away. Repeat it for more.",
    ),
]
LookbackOption = Annotated[
    str | None,
    Parameter(
        name="--all-lookback",
        help=f"How many seconds back users see what was sent to all, {LEAST_LOOKBACK_SECONDS} or more, or "
        f"{_NONE}: as long as it is kept.",
    ),
]
SessionsOption = Annotated[
    str | None,
    Parameter(
        name="--sessions",
        help="What happens to a user's connection beyond the limit: it is refused (many, reject) or takes "
        "the place of the oldest (replace).",
    ),
]
SessionLimit = Annotated[
    str | None,
    Parameter(
        name="--session-limit",
        help=f"Connections per user: a number, or {_NONE}, which is 1 for replace and reject, and no limit "
        "for many.",
    ),
]


@app.command
def create(
    id: TenantId,
    /,
    *,
    origin: Origins = None,
    retention: RetentionOption = None,
    category_retention: CategoryRetention = None,
    all_lookback: LookbackOption = None,
    sessions: SessionsOption = None,
    session_limit: SessionLimit = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Create a tenant. It has no key yet: `tidings-server keys create` makes one."""
    settings = _settings(retention, category_retention, all_lookback, sessions, session_limit)
    settings["origins"] = origin or ()

    async def work() -> Tenant:
        async with operator_store(data, make=True) as redis:
            return await Registry(redis).create_tenant(id, **settings)

    answer(asyncio.run(work()), f"created {id}: next, tidings-server keys create --tenant {id}", as_json=json)


@app.command
def update(
    id: TenantId,
    /,
    *,
    origin: Origins = None,
    any_origin: Annotated[
        bool, Parameter(negative="", help="Let pages of every origin connect again.")
    ] = False,
    retention: RetentionOption = None,
    category_retention: CategoryRetention = None,
    all_lookback: LookbackOption = None,
    sessions: SessionsOption = None,
    session_limit: SessionLimit = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Change what is named of a tenant, everywhere within a second. A list of origins is replaced."""
    if origin and any_origin:
        raise WrongUsage("say either --origin, once or more, or --any-origin")
    settings = _settings(retention, category_retention, all_lookback, sessions, session_limit)
    if origin or any_origin:
        settings["origins"] = origin or ()
    if not settings:
        raise WrongUsage(
            "say what to change: --origin or --any-origin, --retention, --category-retention, "
            "--all-lookback, --sessions, --session-limit"
        )

    async def work() -> Tenant:
        async with operator_store(data) as redis:
            return await Registry(redis).update_tenant(id, **settings)

    tenant = asyncio.run(work())
    text = f"{id}: origins {_origins(tenant)}; retention {_kept(tenant)}; sessions {_sessions(tenant)}"
    answer(tenant, text, as_json=json)


@app.command(name="list")
def list_(*, data: DataOption = None, json: JsonOption = False) -> None:
    """List all tenants."""

    async def work() -> list[Tenant]:
        async with operator_store(data) as redis:
            return await Registry(redis).list_tenants()

    tenants = asyncio.run(work())
    rows = [
        (
            each.id,
            each.created_at.isoformat(timespec="seconds"),
            _kept(each),
            _sessions(each),
            _origins(each),
        )
        for each in tenants
    ]
    text = (
        table(("TENANT", "CREATED", "RETENTION", "SESSIONS", "ORIGINS"), rows) if rows else "no tenants yet"
    )
    answer({"tenants": tenants}, text, as_json=json)


@app.command
def delete(
    id: TenantId,
    /,
    *,
    yes: Annotated[bool, Parameter(negative="", help="Do not ask.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Delete a tenant and its keys: its tokens and sockets end within 2 s. Its data stay.

    Groups, members and presence stay in the store, and notifications and inboxes for
    TIDINGS_RETENTION_SECONDS. So the id of a tenant that had a key is not given to another tenant.
    It can't be undone.
    """
    if not yes:
        _confirm(id)

    async def work() -> None:
        async with operator_store(data) as redis:
            await Registry(redis).delete_tenant(id)

    asyncio.run(work())
    answer(
        {"deleted": id, "removed": ["tenant", "keys"], "kept": list(_KEPT_DATA)},
        f"deleted the tenant {id} and its keys: its tokens and sockets end within 2 s\n"
        f"kept in the store: its {', '.join(_KEPT_DATA)}; so {id} is not given to another tenant",
        as_json=json,
    )


def _confirm(id: str) -> None:
    """Have the operator type the id. WrongUsage where stdin is no terminal."""
    if not sys.stdin.isatty():
        raise WrongUsage(f"this deletes the tenant {id} and its keys for good: confirm it with --yes")
    note(f"This deletes the tenant {id} and its keys for good. Its data stay in the store.")
    print("Type the id to go on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != id:
        raise CommandFailed("that is another id: nothing was deleted")


def _settings(
    retention: str | None,
    category_retention: Sequence[str] | None,
    all_lookback: str | None,
    sessions: str | None,
    session_limit: str | None,
) -> TenantSettings:
    """What the options say; what is out of range is left to the registry."""
    settings: TenantSettings = {}
    if retention is not None:
        settings["retention_days"] = _days(retention, "--retention")
    if category_retention is not None:
        rules: dict[str, int | str | None] = {}
        for rule in category_retention:
            # A category may hold an equals sign itself.
            category, sign, days = rule.rpartition("=")
            if not sign or not category:
                raise WrongUsage(f"--category-retention is written as orders.=365, not {rule!r}")
            rules[category] = _days(days, "--category-retention")
        settings["category_retention"] = rules
    if all_lookback is not None:
        settings["all_lookback"] = _number(all_lookback, "--all-lookback")
    if sessions is not None:
        if sessions not in SESSIONS:
            raise WrongUsage(f"--sessions is {', '.join(SESSIONS)}, not {sessions!r}")
        settings["sessions"] = sessions
    if session_limit is not None:
        settings["session_limit"] = _number(session_limit, "--session-limit")
    return settings


def _number(text: str, option: str) -> int | None:
    if text == _NONE:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise WrongUsage(f"{option} is a number or {_NONE}, not {text!r}")
    return int(text)


def _days(text: str, option: str) -> int | str | None:
    if text == _FOREVER:
        return None
    if text == DEFAULT:
        return DEFAULT
    if text not in map(str, DAYS):
        raise WrongUsage(f"{option} is {_KEPT}, not {text!r}")
    return int(text)


def _kept(tenant: Tenant) -> str:
    said = [_time(tenant.retention_days)]
    said += [f"{name}={_time(days)}" for name, days in sorted(tenant.category_retention.items())]
    if tenant.all_lookback is not None:
        said.append(f"all={tenant.all_lookback}s")
    return " ".join(said)


def _time(days: int | str | None) -> str:
    if days is None:
        return _FOREVER
    return days if isinstance(days, str) else f"{days}d"


def _sessions(tenant: Tenant) -> str:
    limit = tenant.connections_per_user
    return tenant.sessions if limit is None else f"{tenant.sessions} {limit}"


def _origins(tenant: Tenant) -> str:
    return ", ".join(tenant.origins) or "any"
