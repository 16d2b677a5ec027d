"""The client and the widget as browsers load them, and the headers of the server's own pages."""

import base64
import gzip
import hashlib
import re

import httpx
import pytest

from tidings_api.assets import PACKAGE
from tidings_api.routes.browser import FILES


@pytest.mark.parametrize("name", FILES)
async def test_a_named_version_is_immutable(api: httpx.AsyncClient, name: str) -> None:
    """A file is immutable under its version, and cached for 5 minutes without one or with an old one."""
    plain = await api.get(f"/{name}")
    assert plain.status_code == 200
    kind = "application/gzip" if name == PACKAGE else "text/javascript; charset=utf-8"
    assert plain.headers["content-type"] == kind
    assert "max-age=300" in plain.headers["cache-control"]
    version = plain.headers["etag"].split('"')[1]
    named = await api.get(f"/{name}?v={version}")
    assert named.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert named.content == plain.content
    old = await api.get(f"/{name}?v=000000000000")
    assert (old.content, old.headers["cache-control"]) == (plain.content, plain.headers["cache-control"])


@pytest.mark.parametrize("name", FILES)
async def test_a_current_copy_gets_a_304(api: httpx.AsyncClient, name: str) -> None:
    """If-None-Match with the file's tag gets a 304 without content and with the same caching."""
    plain = await api.get(f"/{name}")
    again = await api.get(f"/{name}", headers={"if-none-match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == plain.headers["cache-control"]
    other = await api.get(f"/{name}", headers={"if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, plain.content)


async def test_files_are_compressed_where_the_client_accepts_it(api: httpx.AsyncClient) -> None:
    """A client that accepts gzip gets the compressed file, another the plain one, and Vary says so."""
    sent = set()
    for offer in ("br, gzip", "br;q=1.0, gzip;q=0.8, *;q=0.1", "GZIP ; Q=0.001"):
        async with api.stream("GET", "/widget.js", headers={"accept-encoding": offer}) as packed:
            sent.add(b"".join([chunk async for chunk in packed.aiter_raw()]))
        assert packed.headers.get("content-encoding") == "gzip", offer
        assert packed.headers["vary"] == "Accept-Encoding"
    (compressed,) = sent
    for refusal in ("identity", "gzip;q=0", "gzip; q=0.000, br", ""):
        plain = await api.get("/widget.js", headers={"accept-encoding": refusal})
        assert ("content-encoding" in plain.headers, plain.headers["vary"]) == (False, "Accept-Encoding")
        assert plain.content == gzip.decompress(compressed)


async def test_pages_of_every_origin_may_load_them(api: httpx.AsyncClient) -> None:
    """Pages of every origin can load the files by CORS, as modules and with an integrity."""
    answer = await api.get("/widget.js", headers={"origin": "https://shop.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_unknown_parameters_of_a_script_are_ignored(api: httpx.AsyncClient) -> None:
    """A parameter that a site adds to the address does not prevent the answer."""
    plain = await api.get("/widget.js")
    added = await api.get("/widget.js?ver=6.8")
    assert (added.status_code, added.content) == (200, plain.content)


async def test_the_script_names_its_parts(api: httpx.AsyncClient) -> None:
    """The script names the versions of the parts that it loads later, and the server has these versions."""
    named = re.findall(r"(?:parts|toasts)\.mjs\?v=[0-9a-f]+", (await api.get("/widget.js")).text)
    assert len(named) == 2
    for each in named:
        assert "immutable" in (await api.get(f"/{each}")).headers["cache-control"]


async def test_the_docs_page_says_how_to_embed_the_widget(api: httpx.AsyncClient) -> None:
    """/docs shows the line to embed, with the integrity of the served file."""
    page = (await api.get("/docs")).text
    digest = hashlib.sha384((await api.get("/widget.js")).content).digest()
    assert f"sha384-{base64.b64encode(digest).decode()}" in page
