"""`tidings-server token`: prints a token, for tests by hand and for scripts."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tidings.protocol import limits
from tidings.protocol.times import timestamp
from tidings_api.cli.errors import CommandFailed, WrongUsage
from tidings_api.cli.output import DataOption, JsonOption, TenantOption, answer
from tidings_api.cli.stores import operator_store
from tidings_workers.registry import SCOPES, Key, Registry
from tidings_workers.tokens import make_token


def token(
    *,
    tenant: TenantOption,
    user: Annotated[str, Parameter(help="Subject of the token: a user's id, or a service's name.")],
    scope: Annotated[
        list[str] | None,
        Parameter(
            negative="",
            consume_multiple=True,
            help=f"Scopes of the token: {', '.join(SCOPES)}. Default: inbox. Repeat it for more.",
        ),
    ] = None,
    expires_in: Annotated[
        int, Parameter(help=f"Seconds until it expires, at most {limits.TOKEN_SECONDS}.")
    ] = 3600,
    kid: Annotated[
        str | None,
        Parameter(help="Kid of the key that signs it. Default: the newest key that allows the scopes."),
    ] = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Create a token for a user or a service, signed with one of the tenant's HS256 keys."""
    scopes = frozenset(scope or ["inbox"])
    unknown = scopes - frozenset(SCOPES)
    if unknown:
        raise WrongUsage(f"there is no scope {', '.join(sorted(unknown))}: use {', '.join(SCOPES)}")
    key = _choose(asyncio.run(_signing_keys(tenant, data)), tenant, scopes, kid)
    now = time.time()
    try:
        made = make_token(key, tenant, user, scopes, expires_in, now)
    except ValueError as error:
        raise WrongUsage(str(error)) from error
    expires_at = timestamp((int(now) + expires_in) * 1000)
    answer({"token": made, "expires_at": expires_at}, made, as_json=json)


async def _signing_keys(tenant: str, data: Path | None) -> list[Key]:
    async with operator_store(data) as redis:
        registry = Registry(redis)
        await registry.list_keys(tenant)  # raises when the tenant does not exist
        return await registry.signing_keys(tenant)


def _choose(keys: list[Key], tenant: str, scopes: frozenset[str], kid: str | None) -> Key:
    """The key named `kid`, else the newest one that allows the scopes. CommandFailed lists the keys."""
    if not keys:
        raise CommandFailed(
            f"tenant {tenant!r} has no valid HS256 key: create one with "
            f"tidings-server keys create --tenant {tenant}"
        )
    listed = "; ".join(f"{key.kid} allows {' '.join(key.scopes)}" for key in keys)
    named = [key for key in keys if kid in {None, key.kid}]
    if not named:
        raise CommandFailed(f"tenant {tenant!r} has no valid HS256 key {kid}: choose one of these: {listed}")
    fit = [key for key in named if scopes <= frozenset(key.scopes)]
    if not fit:
        which = f"key {kid} does not allow" if kid else "no key allows"
        raise CommandFailed(
            f"{which} {' '.join(sorted(scopes))} ({listed}): choose other scopes, or create a key with "
            f"tidings-server keys create --tenant {tenant}"
        )
    return fit[-1]
