"""`tidings-server tenants`: the customers of an installation."""

import asyncio
import sys
from datetime import datetime
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from tidings.protocol import limits
from tidings_api.cli.errors import CommandFailed, WrongUsage
from tidings_api.cli.output import DataOption, JsonOption, answer, note, table
from tidings_api.cli.stores import operator_store, store_settings
from tidings_api.cli.tenant_options import FOREVER, NO_OPTIONS, TenantOptions
from tidings_workers.archive import ArchiveError, NoArchiveYet, open_archive
from tidings_workers.config import NO_ARCHIVE, Settings
from tidings_workers.registry import Registry
from tidings_workers.store.clients import close, connect
from tidings_workers.tenants import RegistryError, Tenant, Upstream

app = App(name="tenants", help="Create, change, list and delete tenants.")

_KEPT_DATA = ("notifications", "inboxes", "groups", "members", "presence")

TenantId = Annotated[str, Parameter(help="The tenant's id: 1 to 40 of a-z 0-9 -.")]
Origins = Annotated[
    list[str] | None,
    Parameter(
        name="--origin",
        negative="",
        consume_multiple=True,
        help="An origin whose pages may connect, such as https://shop.example, or https://*.shop.example for "
        "all subdomains. Repeat it for more. Without any, pages of all origins may connect.",
    ),
]


@app.command
def create(
    id: TenantId,
    /,
    *,
    origin: Origins = None,
    options: TenantOptions = NO_OPTIONS,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Create a tenant. It has no key yet: create one with `tidings-server keys create`."""
    settings = options.settings()
    settings["origins"] = origin or ()

    async def work() -> Tenant:
        async with operator_store(data, make=True) as redis:
            return await Registry(redis).create_tenant(id, **settings)

    made = settings.get("upstream")
    text = f"created {id}: next, tidings-server keys create --tenant {id}{_secret(made)}"
    answer(_shown(asyncio.run(work()), made), text, as_json=json)


@app.command
def update(
    id: TenantId,
    /,
    *,
    origin: Origins = None,
    any_origin: Annotated[
        bool, Parameter(negative="", help="Allow pages of all origins to connect.")
    ] = False,
    options: TenantOptions = NO_OPTIONS,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Change settings of a tenant. All parts follow within a second. A list of origins is replaced."""
    if origin and any_origin:
        raise WrongUsage("--origin and --any-origin exclude each other: use one of them")
    settings = options.settings()
    if origin or any_origin:
        settings["origins"] = origin or ()
    if not settings:
        raise WrongUsage(
            "say what to change: --origin or --any-origin, --retention, --category-retention, "
            "--all-lookback, --sessions, --session-limit, --topic-retention, --open-topic or "
            "--no-open-topics, --guests or --no-guests, --archive or --no-archive, --archive-retention, "
            "--category-archive-retention, --upstream or --no-upstream"
        )

    async def work() -> Tenant:
        async with operator_store(data) as redis:
            return await Registry(redis).update_tenant(id, **settings)

    tenant = asyncio.run(work())
    text = (
        f"{id}: origins {_origins(tenant)}; retention {_kept(tenant)}; archive {_archived(tenant)}; "
        f"sessions {_sessions(tenant)}; open topics {', '.join(tenant.open_topics) or 'none'}; "
        f"guests {_guests(tenant)}; upstream {_upstream(tenant)}"
    )
    made = settings.get("upstream")
    answer(_shown(tenant, made), text + _secret(made), as_json=json)


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
            _archived(each),
            _sessions(each),
            _guests(each),
            _origins(each),
        )
        for each in tenants
    ]
    head = ("TENANT", "CREATED", "RETENTION", "ARCHIVE", "SESSIONS", "GUESTS", "ORIGINS")
    text = table(head, rows) if rows else "no tenants yet"
    answer({"tenants": [_shown(each) for each in tenants]}, text, as_json=json)


@app.command
def delete(
    id: TenantId,
    /,
    *,
    yes: Annotated[bool, Parameter(negative="", help="Do not ask.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Delete a tenant, its keys and its history. Within 2 s its tokens are void and its connections close.

    Groups, members and presence stay in the store; notifications and inboxes stay for
    TIDINGS_RETENTION_SECONDS. So the id of a tenant that had a key can't be used for another tenant. This
    can't be undone. When the archive does not answer, the history is pending: repeat the command.
    """
    if not yes:
        _confirm(id)

    async def work() -> str:
        async with store_settings(data) as settings:
            client = connect(settings.redis_url or "", "tidings-operator", connections=2)
            try:
                await _delete(Registry(client), id, settings)
            finally:
                await close(client)
            return await _erase_history(settings, id)

    fault = asyncio.run(work())
    pending = f"\npending: its history ({fault}); repeat the command then" if fault else ""
    answer(
        {
            "deleted": id,
            "removed": ["tenant", "keys", *([] if fault else ["history"])],
            "kept": list(_KEPT_DATA),
            "pending": ["history"] if fault else [],
        },
        f"deleted the tenant {id} and its keys: within 2 s its tokens are void and its connections close\n"
        f"kept in the store: its {', '.join(_KEPT_DATA)}; so {id} can't be used for another tenant{pending}",
        as_json=json,
    )


async def _delete(registry: Registry, tenant: str, settings: Settings) -> None:
    """Delete a tenant. One that was deleted before may have a history that is pending."""
    try:
        await registry.delete_tenant(tenant)
    except RegistryError:
        if not (settings.archives and await registry.was_deleted(tenant)):
            raise


async def _erase_history(settings: Settings, tenant: str) -> str:
    """Erase a tenant in the archive. Returns the fault of an archive that does not answer, or ''."""
    archive = open_archive(settings.archive_url or NO_ARCHIVE)
    if archive is None:
        return ""
    try:
        while not await archive.erase_tenant(tenant):
            pass
    except NoArchiveYet:
        return ""
    except ArchiveError as error:
        return str(error)
    finally:
        await archive.close()
    return ""


def _confirm(id: str) -> None:
    """Ask the operator to type the id. Raises WrongUsage when stdin is not a terminal."""
    if not sys.stdin.isatty():
        raise WrongUsage(
            f"this deletes the tenant {id} and its keys, and can't be undone: confirm it with --yes"
        )
    note(f"This deletes the tenant {id} and its keys, and can't be undone. Its data stay in the store.")
    print("Type the id to continue: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != id:
        raise CommandFailed("that is another id: nothing was deleted")


def _shown(tenant: Tenant, made: Upstream | None = None) -> dict[str, Any]:
    """The tenant for `--json`. Only the command that `made` its upstream shows the secret."""
    shown: dict[str, Any] = msgspec.to_builtins(tenant, builtin_types=(datetime,))
    if tenant.upstream is not None and made is None:
        shown["upstream"] = {"url": tenant.upstream.url}
    return shown


def _kept(tenant: Tenant) -> str:
    rules = [_time(tenant.retention_days)]
    rules += [f"{name}={_time(days)}" for name, days in sorted(tenant.category_retention.items())]
    if tenant.all_lookback is not None:
        rules.append(f"all={tenant.all_lookback}s")
    if tenant.topic_retention != limits.TOPIC_RETENTION_SECONDS:
        rules.append(f"topics={tenant.topic_retention}s")
    return " ".join(rules)


def _archived(tenant: Tenant) -> str:
    if not tenant.archive:
        return "none"
    rules = [_time(tenant.archive_retention)]
    rules += [f"{name}={_time(days)}" for name, days in sorted(tenant.category_archive_retention.items())]
    return " ".join(rules)


def _time(days: int | str | None) -> str:
    if days is None:
        return FOREVER
    return days if isinstance(days, str) else f"{days}d"


def _upstream(tenant: Tenant) -> str:
    return tenant.upstream.url if tenant.upstream is not None else "none"


def _secret(made: Upstream | None) -> str:
    return f"\nthe secret that signs calls of the upstream, shown once: {made.secret}" if made else ""


def _sessions(tenant: Tenant) -> str:
    limit = tenant.connections_per_user
    return tenant.sessions if limit is None else f"{tenant.sessions} {limit}"


def _guests(tenant: Tenant) -> str:
    return "allowed" if tenant.guests is True else "none"


def _origins(tenant: Tenant) -> str:
    return ", ".join(tenant.origins) or "any"
