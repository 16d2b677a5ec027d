"""The npm package that a server serves, and the code for Node and React that the demo page shows."""

import asyncio
import re
from asyncio.subprocess import PIPE
from pathlib import Path

import httpx
import pytest

from tests.support.no_tls import NO_TLS
from tests.support.stack import Stack, clean_environment
from tests.support.tree import ROOT
from tidings_api.demo import snippets

PROGRAM = """
import { Tidings } from "tidings";
import { Feed } from "tidings/feed";
import "tidings/widget";
const [url, token] = process.argv.slice(2);
const client = new Tidings({ url, token: async () => ({ token }) });
const { counts } = await client.list();
console.log(counts.unread, typeof Feed);
"""


LIBRARIES = ROOT / "sdk/browser/node_modules"

LISTENING = """
function loggedIn() { return "ana"; }
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
"""
RENDERING = """
import { renderToString } from "react-dom/server";
console.log(renderToString(<Bell />));
"""


async def run(folder: Path, *command: str) -> str:
    """The output of a program that succeeds."""
    running = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=PIPE, stderr=PIPE, env=clean_environment()
    )
    printed, problems = await running.communicate()
    assert running.returncode == 0, problems.decode()
    return printed.decode()


def documented() -> list[str]:
    """The addresses in the commands that install the package, in the documents and on the demo page."""
    texts = [(ROOT / name).read_text() for name in ("docs/browser.md", "sdk/browser/README.md")]
    found = [re.findall(r"npm install (http\S+|\$api\S+)", text) for text in (*texts, snippets.code("react"))]
    return [address for addresses in found for address in addresses]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with an application of Node."""
    (tmp_path / "package.json").write_text('{"name": "shop", "private": true, "type": "module"}')
    return tmp_path


async def test_the_served_package_is_installed_and_works(dev: Stack, shop: Path) -> None:
    """`npm install` with the documented address installs a client that reads an inbox of this server."""
    addresses = documented()
    assert len(addresses) == 3
    paths = {re.sub(r"^(https://notify\.example|\$api)", "", address) for address in addresses}
    assert paths == {"/tidings.tgz"}
    await run(shop, "npm", "install", "--no-audit", "--no-fund", f"{dev.api}{paths.pop()}")
    (shop / "page.mjs").write_text(PROGRAM)
    printed = await run(shop, "node", "page.mjs", dev.api, dev.token("new-user"))
    assert printed.strip() == "0 function"


async def test_the_shown_component_renders(dev: Stack, shop: Path) -> None:
    """The demo page's code for React, with the served package, renders on a server."""
    await run(shop, "npm", "install", "--no-audit", "--no-fund", f"{dev.api}/tidings.tgz")
    for name in ("react", "react-dom", "scheduler"):
        (shop / "node_modules" / name).symlink_to(LIBRARIES / name)
    code = snippets.code("react").replace("$api", dev.api)
    (shop / "page.jsx").write_text(code + RENDERING)
    options = ("--bundle", "--jsx=automatic", "--platform=node", "--format=cjs", "--outfile=page.cjs")
    await run(shop, str(LIBRARIES / ".bin/esbuild"), "page.jsx", "--log-level=error", *options)
    assert (await run(shop, "node", "page.cjs")).strip() == '<tidings-inbox toasts=""></tidings-inbox>'


async def test_the_shown_route_of_express_gives_a_token(dev: Stack, shop: Path) -> None:
    """The demo page's code for Express answers with a token that opens the user's inbox."""
    (shop / "node_modules").symlink_to(LIBRARIES)
    (shop / "server.mjs").write_text(snippets.code("express") + LISTENING)
    environment = clean_environment(TIDINGS_URL=dev.api, TIDINGS_KEY=dev.key)
    running = await asyncio.create_subprocess_exec(
        "node", "server.mjs", cwd=shop, stdout=PIPE, stderr=PIPE, env=environment
    )
    try:
        assert running.stdout is not None
        port = (await running.stdout.readline()).decode().strip()
        async with httpx.AsyncClient(trust_env=False, timeout=30, verify=NO_TLS) as page:
            answer = await page.get(f"http://127.0.0.1:{port}/my-token")
            assert answer.status_code == 200, answer.text
            assert set(answer.json()) == {"token", "expires_at", "realtime_url"}
            bearer = {"authorization": f"Bearer {answer.json()['token']}"}
            inbox = await page.get(f"{dev.api}/v1/me/notifications", headers=bearer)
        assert inbox.status_code == 200
    finally:
        running.terminate()
        await running.communicate()
