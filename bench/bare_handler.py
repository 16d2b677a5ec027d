"""The minimum cost of a send over HTTP with these libraries: decode the body, answer 202.

`python -m bench.bare_handler` prints its port and serves on it.
"""

import asyncio

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from litestar import Litestar, post
from litestar.params import JSONBody

from bench.server import free_ports
from tidings.protocol.notifications import CreateNotification


@post("/v1/notifications", status_code=202)
async def accept(data: JSONBody[CreateNotification]) -> dict[str, int]:
    """Answer without storing anything."""
    return {"users": len(data.to.users)}


async def _main() -> None:
    (port,) = free_ports(1)
    app = Litestar([accept], openapi_config=None, logging_config=None)
    server = Server(
        app,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve())
        await _until_it_listens(port)
        print(port, flush=True)


async def _until_it_listens(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


if __name__ == "__main__":
    uvloop.run(_main())
