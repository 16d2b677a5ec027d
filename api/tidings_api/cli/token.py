"""`tidings-server token`: a token by hand, for trying things out and for scripts."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tidings.protocol import limits
from tidings_api.cli.output import DataOption, JsonOption, TenantOption, answer
from tidings_api.cli.problems import CommandFailed
from tidings_api.cli.stores import operator_store
from tidings_workers.registry import SCOPES, Key, Registry
from tidings_workers.tokens import make_token


def token(
    *,
    tenant: TenantOption,
    user: Annotated[str, Parameter(help="Whom the token speaks for: a user's id, or a service's name.")],
    scope: Annotated[
        list[str] | None,
        Parameter(
            negative="",
            consume_multiple=True,
            help=f"What it may do, of {', '.join(SCOPES)}; inbox unless told otherwise. Repeat it for more.",
        ),
    ] = None,
    expires_in: Annotated[
        int, Parameter(help=f"Seconds that it is good for, {limits.TOKEN_SECONDS} at most.")
    ] = 3600,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Make a token for a user or a service, signed with the tenant's newest HS256 key."""
    scopes = frozenset(scope or ["inbox"])
    key = asyncio.run(_signing_key(tenant, data))
    missing = scopes - frozenset(key.scopes)
    if missing:
        raise CommandFailed(
            f"key {key.kid} of {tenant} does not allow {', '.join(sorted(missing))}: "
            "choose other scopes, or create a key that has them"
        )
    now = time.time()
    try:
        made = make_token(key, tenant, user, scopes, expires_in, now)
    except ValueError as error:
        raise CommandFailed(str(error)) from error
    expires_at = datetime.fromtimestamp(int(now) + expires_in, UTC)
    answer({"token": made, "expires_at": expires_at}, made, as_json=json)


async def _signing_key(tenant: str, data: Path | None) -> Key:
    async with operator_store(data) as redis:
        registry = Registry(redis)
        await registry.list_keys(tenant)  # raises when there is no such tenant
        key = await registry.signing_key(tenant)
    if key is None:
        raise CommandFailed(
            f"tenant {tenant!r} has no live HS256 key: tidings-server keys create --tenant {tenant}"
        )
    return key
