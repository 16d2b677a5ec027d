"""The demo tenant, and what `dev` prints for whoever sees Tidings for the first time."""

import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis, RedisCluster

from tidings.protocol import limits
from tidings_workers.config import Settings, reachable
from tidings_workers.registry import SCOPES, SERVER_SCOPES, Key, Registry, TenantExists
from tidings_workers.tokens import make_token

TENANT: Final = "demo"


class Demo(Struct, frozen=True):
    """The demo tenant's key as one string, and a server token that it signed, good for 24 h."""

    key: str
    token: str


async def open_demo(redis: Redis | RedisCluster) -> Demo:
    """Give the demo tenant's key, made on the first start and the same on every later one."""
    registry = Registry(redis)
    try:
        await registry.create_tenant(TENANT)
    except TenantExists:
        key = await registry.signing_key(TENANT)
    else:
        key = None
    if key is None or not set(SCOPES) <= set(key.scopes):
        await registry.create_key(TENANT)
        key = await registry.signing_key(TENANT)
    if key is None or key.secret is None:
        raise RuntimeError("the key that was just made is gone")
    return Demo(key=f"{TENANT}.{key.kid}.{key.secret}", token=_token(key))


def print_welcome(settings: Settings, demo: Demo, *, as_json: bool) -> None:
    """Print where everything is and what to try; as JSON one line, and nothing else, on stdout."""
    api = f"http://{reachable(settings.host)}:{settings.port}"
    realtime = settings.public_realtime_url
    page = f"{api}/"
    if as_json:
        line = {"api": api, "realtime": realtime, "page": page, "tenant": TENANT, "key": demo.key}
        print(msgspec.json.encode(line).decode(), flush=True)
        return
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
Tidings is running; Ctrl-C ends it.

  API       {api}
  realtime  {realtime}
  page      {page}
  metrics   {metrics}
  tenant    {TENANT}
  key       {demo.key}

Listen as a user, in another terminal:

{listen}

Send that user a notification:

{shlex.join(send)}
""",
        flush=True,
    )


def _token(key: Key) -> str:
    return make_token(key, TENANT, "dev", frozenset(SERVER_SCOPES), limits.TOKEN_SECONDS, time.time())


def _tidings() -> str:
    """Name the SDK's command as the user's shell finds it: it may be in a virtual environment."""
    beside = Path(sys.executable).with_name("tidings")
    if shutil.which("tidings") is not None or not beside.exists():
        return "tidings"
    here = Path.cwd()
    return str(beside.relative_to(here)) if beside.is_relative_to(here) else str(beside)
