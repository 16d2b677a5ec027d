"""`tidings-server tenants`: the customers of an installation."""

import asyncio
from typing import Annotated

from cyclopts import App, Parameter

from tidings_api.cli.output import DataOption, JsonOption, answer, table
from tidings_api.cli.problems import CommandFailed
from tidings_api.cli.stores import operator_store
from tidings_workers.registry import Registry, Tenant

app = App(name="tenants", help="Create, change, list and delete tenants.")

TenantId = Annotated[str, Parameter(help="The tenant's id: 1 to 40 of a-z 0-9 -.")]
Origins = Annotated[
    list[str] | None,
    Parameter(
        name="--origin",
        negative="",
        consume_multiple=True,
        help="An origin whose pages may connect, such as https://shop.example. Repeat it for more. "
        "Without any, pages of every origin may.",
    ),
]


@app.command
def create(
    id: TenantId, /, *, origin: Origins = None, data: DataOption = None, json: JsonOption = False
) -> None:
    """Create a tenant. It has no key yet: `tidings-server keys create` makes one."""

    async def work() -> Tenant:
        async with operator_store(data) as redis:
            return await Registry(redis).create_tenant(id, origin or ())

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
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Replace a tenant's list of origins, everywhere within a second."""
    if bool(origin) == any_origin:
        raise CommandFailed("say either --origin, once or more, or --any-origin")

    async def work() -> Tenant:
        async with operator_store(data) as redis:
            return await Registry(redis).update_tenant(id, origins=origin or ())

    tenant = asyncio.run(work())
    answer(tenant, f"{id} takes pages of {_origins(tenant)}", as_json=json)


@app.command(name="list")
def list_(*, data: DataOption = None, json: JsonOption = False) -> None:
    """List all tenants."""

    async def work() -> list[Tenant]:
        async with operator_store(data) as redis:
            return await Registry(redis).list_tenants()

    tenants = asyncio.run(work())
    rows = [(each.id, each.created_at.isoformat(timespec="seconds"), _origins(each)) for each in tenants]
    text = table(("TENANT", "CREATED", "ORIGINS"), rows) if rows else "no tenants yet"
    answer({"tenants": tenants}, text, as_json=json)


@app.command
def delete(id: TenantId, /, *, data: DataOption = None, json: JsonOption = False) -> None:
    """Delete a tenant with its keys: its tokens and sockets end within 2 s."""

    async def work() -> None:
        async with operator_store(data) as redis:
            await Registry(redis).delete_tenant(id)

    asyncio.run(work())
    answer({"deleted": id}, f"deleted {id}", as_json=json)


def _origins(tenant: Tenant) -> str:
    return ", ".join(tenant.origins) or "every origin"
