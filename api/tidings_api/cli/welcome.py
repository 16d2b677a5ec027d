"""The key of the demo tenant, and the text that `dev` prints when it is ready."""

import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
from msgspec import UNSET, Struct
from redis.asyncio import Redis, RedisCluster

from tidings.protocol import limits
from tidings_api.cli.errors import CommandFailed
from tidings_api.cli.progress import Progress
from tidings_api.demo_tenant import TENANT, UPSTREAM_PATH
from tidings_workers.addresses import reachable
from tidings_workers.config import Settings
from tidings_workers.registry import (
    SCOPES,
    SERVER_SCOPES,
    Key,
    NameKeepsData,
    Registry,
    TenantExists,
)
from tidings_workers.standard_webhooks import new_secret
from tidings_workers.tenants import TenantSettings, Upstream
from tidings_workers.tokens import make_token

# The name of the key that `dev` creates. Later starts find the key by this name.
KEY_NAME: Final = "dev"

# A page written for Spring's simple broker has no token.
OPEN_TO_GUESTS: Final[TenantSettings] = {"guests": True, "open_topics": ("public", "public/**")}


class Demo(Struct, frozen=True):
    """The demo tenant's key as one string, and a server token that it signed, valid for 24 h.

    `remark` says why the key differs from that of the previous start; it is empty when it does not.
    """

    key: str
    token: str
    remark: str = ""


async def open_demo(redis: Redis | RedisCluster) -> Demo:
    """The key of the demo tenant that belongs to `dev`. The first start creates it.

    Later starts find it by its name. When it was revoked or lacks a scope, a new key replaces it, and
    `remark` says so.
    """
    registry = Registry(redis)
    try:
        await registry.create_tenant(TENANT, **OPEN_TO_GUESTS)
    except TenantExists:
        await _open_to_guests(registry)
        key, remark = await _own_key(registry)
    except NameKeepsData as error:
        raise CommandFailed(
            f"the tenant {TENANT} of this store was deleted, but its data are still there: start `dev` with "
            "another store (--data or REDIS_URL), or delete the data directory"
        ) from error
    else:
        key, remark = None, ""
    if key is None:
        made = await registry.create_key(TENANT, name=KEY_NAME)
        kid = made.split(".")[1]
        key = next((each for each in await registry.signing_keys(TENANT) if each.kid == kid), None)
    if key is None or key.secret is None:
        raise CommandFailed(f"the new key of the tenant {TENANT} was revoked at once: start `dev` again")
    remark = f"{remark}: created key {key.kid}" if remark else ""
    return Demo(key=f"{TENANT}.{key.kid}.{key.secret}", token=_token(key), remark=remark)


async def open_sample_upstream(redis: Redis | RedisCluster, settings: Settings) -> None:
    """Give the demo tenant the sample upstream of this API, unless it has one of the user's own."""
    registry = Registry(redis)
    tenant = await registry.tenant(TENANT)
    current = tenant.upstream if tenant is not None else None
    url = f"http://{reachable(settings.host)}:{settings.port}{UPSTREAM_PATH}"
    if current is None or (current.url != url and current.url.endswith(UPSTREAM_PATH)):
        await registry.update_tenant(TENANT, upstream=Upstream(url, new_secret()))


async def _open_to_guests(registry: Registry) -> None:
    """Allow guests in a store from before there were guests; later the setting is the operator's."""
    tenant = next(each for each in await registry.list_tenants() if each.id == TENANT)
    if tenant.guests is UNSET:
        topics = (*tenant.open_topics, *OPEN_TO_GUESTS["open_topics"])
        await registry.update_tenant(TENANT, open_topics=topics, guests=True)


async def _own_key(registry: Registry) -> tuple[Key | None, str]:
    keys = await registry.signing_keys(TENANT)
    own = [key for key in keys if key.name == KEY_NAME]
    whole = [key for key in own if set(SCOPES) <= set(key.scopes)]
    if whole:
        return whole[-1], ""
    if not any(info.name == KEY_NAME for info in await registry.list_keys(TENANT)):
        # In a store from before keys had names, the oldest key is the one that `dev` created.
        for key in keys:
            if not key.name and set(SCOPES) <= set(key.scopes):
                return key, ""
    if own:
        missing = [scope for scope in SCOPES if scope not in own[-1].scopes]
        return None, f"the key {own[-1].kid} (named {KEY_NAME}) does not allow {' '.join(missing)}"
    return None, f"the tenant {TENANT} has no valid key named {KEY_NAME}"


def print_welcome(settings: Settings, demo: Demo, progress: Progress) -> None:
    """Print the addresses and the commands to try. With --json, stdout gets only one line of JSON."""
    api = f"http://{reachable(settings.host)}:{settings.port}"
    realtime = settings.public_realtime_url
    page = f"{api}/"
    if progress.as_json:
        line = {"api": api, "realtime": realtime, "page": page, "tenant": TENANT, "key": demo.key}
        print(msgspec.json.encode(line).decode(), flush=True)
        return
    spring = f"http://{reachable(settings.realtime_host)}:{settings.realtime_port}/spring"
    metrics = f"http://{reachable(settings.operator_host)}:{settings.operator_port}/metrics"
    send = [
        *("curl", "-sS", f"{api}/v1/notifications"),
        *("-H", f"Authorization: Bearer {demo.token}"),
        *("-H", "Content-Type: application/json"),
        *("-d", '{"to": {"users": ["ana"]}, "title": "Hello, Ana"}'),
    ]
    listen = f"TIDINGS_URL={api} TIDINGS_KEY={demo.key} {_tidings()} listen --user ana"
    print(
        f"""
Tidings is running, ready after {progress.seconds:.1f} s. Ctrl-C stops it.

  API       {api}
  realtime  {realtime}
  page      {page}
  Spring    {spring}
  metrics   {metrics}
  tenant    {TENANT}
  key       {demo.key}

Listen as a user, in another terminal:

{listen}

Send that user a notification:

{shlex.join(send)}""",
        flush=True,
    )


def _token(key: Key) -> str:
    return make_token(key, TENANT, "dev", frozenset(SERVER_SCOPES), limits.TOKEN_SECONDS, time.time())


def _tidings() -> str:
    """The SDK's command as the user's shell finds it, or its path in this virtual environment."""
    beside = Path(sys.executable).with_name("tidings")
    if shutil.which("tidings") is not None or not beside.exists():
        return "tidings"
    here = Path.cwd()
    return str(beside.relative_to(here)) if beside.is_relative_to(here) else str(beside)
