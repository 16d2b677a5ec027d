"""`tidings-server keys`: the keys with which a tenant's applications sign their tokens."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from tidings_api.cli.errors import CommandFailed
from tidings_api.cli.output import DataOption, JsonOption, TenantOption, answer, note, table
from tidings_api.cli.stores import operator_store
from tidings_workers.registry import SCOPES, KeyInfo, Registry

app = App(name="keys", help="Create, list and revoke keys.")


@app.command
def create(
    *,
    tenant: TenantOption,
    scope: Annotated[
        list[str] | None,
        Parameter(
            negative="",
            consume_multiple=True,
            help=f"Scopes that tokens of this key may have: {', '.join(SCOPES)}. Default: all. "
            "Repeat it for more.",
        ),
    ] = None,
    public_key: Annotated[
        Path | None,
        Parameter(
            help="A file with a PEM public key. The tenant signs with the private half, which stays with it."
        ),
    ] = None,
    alg: Annotated[
        Literal["RS256", "ES256", "EdDSA"] | None,
        Parameter(name="--alg", help="The algorithm of the public key."),
    ] = None,
    name: Annotated[
        str,
        Parameter(help="A note for people, such as the application that gets the key.", show_default=False),
    ] = "",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Create a key. Without --public-key it is a secret, which is printed only once."""
    pem = _read(public_key) if public_key is not None else None

    async def work() -> str:
        async with operator_store(data) as redis:
            return await Registry(redis).create_key(tenant, scope, pem, alg, name)

    key = asyncio.run(work())
    kid = key.split(".")[1]
    if pem is None:
        answer({"tenant": tenant, "kid": kid, "key": key}, key, as_json=json)
        note("keep it: it is not shown again")
    else:
        answer({"tenant": tenant, "kid": kid, "alg": alg}, kid, as_json=json)
        note(f"sign with kid {kid} and iss {tenant}")


@app.command(name="list")
def list_(*, tenant: TenantOption, data: DataOption = None, json: JsonOption = False) -> None:
    """List a tenant's keys, oldest first, including revoked ones. Secrets are never shown."""

    async def work() -> list[KeyInfo]:
        async with operator_store(data) as redis:
            return await Registry(redis).list_keys(tenant)

    keys = asyncio.run(work())
    rows = [
        (
            key.kid,
            key.name or "-",
            key.alg,
            key.created_at.isoformat(timespec="seconds"),
            key.revoked_at.isoformat(timespec="seconds") if key.revoked_at else "-",
            " ".join(key.scopes),
        )
        for key in keys
    ]
    text = table(("KID", "NAME", "ALG", "CREATED", "REVOKED", "SCOPES"), rows) if rows else "no keys yet"
    answer({"keys": keys}, text, as_json=json)


@app.command
def revoke(
    kid: Annotated[str, Parameter(help="The key's kid, the middle part of the key.")],
    /,
    *,
    tenant: TenantOption,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Revoke a key. Within 2 s its tokens and those made through it are void, and their connections close."""

    async def work() -> None:
        async with operator_store(data) as redis:
            await Registry(redis).revoke_key(tenant, kid)

    asyncio.run(work())
    answer({"revoked": kid}, f"revoked {kid} of {tenant}", as_json=json)


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError as error:
        raise CommandFailed(f"{path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise CommandFailed(f"{path} is not a PEM file: give one that begins with BEGIN PUBLIC KEY") from None
