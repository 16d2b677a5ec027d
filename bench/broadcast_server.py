"""The asyncio server of the `websockets` library and its broadcast(), at full speed: uvloop, no compression.

python -m bench.broadcast_server MESSAGES RATE prints its port, accepts connections, reads one line from
stdin (the text to send), and sends it to all of them MESSAGES times, RATE per second.
"""

import asyncio
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve


async def _main(messages: int, rate: int) -> None:
    loop = asyncio.get_running_loop()
    connections: set[ServerConnection] = set()
    line: asyncio.Future[bytes] = loop.create_future()

    def read_line() -> None:
        loop.remove_reader(sys.stdin.fileno())
        line.set_result(sys.stdin.buffer.readline())

    loop.add_reader(sys.stdin.fileno(), read_line)

    async def hold(connection: ServerConnection) -> None:
        connections.add(connection)
        await connection.wait_closed()

    async with serve(hold, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=4096) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        text = (await line).decode().rstrip("\n")
        due = loop.time()
        for _ in range(messages):
            await asyncio.sleep(due - loop.time())
            broadcast(connections, text)
            due += 1 / rate
        await server.wait_closed()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]), int(sys.argv[2])))
