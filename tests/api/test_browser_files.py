"""The client and the widget as browsers fetch them, and the rules of the server's own pages."""

import base64
import gzip
import hashlib
import re

import httpx
import pytest

from tidings_api.routes.browser import FILES


@pytest.mark.parametrize("name", FILES)
async def test_a_named_version_is_kept_for_ever(api: httpx.AsyncClient, name: str) -> None:
    """Under its version a file is immutable; without one, or with an old one, it is asked for again soon."""
    plain = await api.get(f"/{name}")
    assert plain.status_code == 200
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "max-age=300" in plain.headers["cache-control"]
    version = plain.headers["etag"].split('"')[1]
    named = await api.get(f"/{name}?v={version}")
    assert named.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert named.content == plain.content
    old = await api.get(f"/{name}?v=000000000000")
    assert (old.content, old.headers["cache-control"]) == (plain.content, plain.headers["cache-control"])


@pytest.mark.parametrize("name", FILES)
async def test_who_has_the_file_is_told_so(api: httpx.AsyncClient, name: str) -> None:
    """If-None-Match with the file's tag is answered by 304 without content, that may be kept as long."""
    plain = await api.get(f"/{name}")
    again = await api.get(f"/{name}", headers={"if-none-match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == plain.headers["cache-control"]
    other = await api.get(f"/{name}", headers={"if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, plain.content)


async def test_files_travel_compressed_to_whom_that_suits(api: httpx.AsyncClient) -> None:
    """Compressed where it is accepted, the plain file where it is not, and caches know that they differ."""
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
    """Modules, and scripts with an integrity, are fetched by CORS."""
    answer = await api.get("/widget.js", headers={"origin": "https://shop.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_what_sites_add_to_the_address_is_passed_over(api: httpx.AsyncClient) -> None:
    """A parameter of a site's own does not keep the script from its pages."""
    plain = await api.get("/widget.js")
    added = await api.get("/widget.js?ver=6.8")
    assert (added.status_code, added.content) == (200, plain.content)


async def test_the_script_names_its_parts(api: httpx.AsyncClient) -> None:
    """What the script loads later is there under the version that it names, so the two always fit."""
    named = re.findall(r"(?:parts|toasts)\.mjs\?v=[0-9a-f]+", (await api.get("/widget.js")).text)
    assert len(named) == 2
    for each in named:
        assert "immutable" in (await api.get(f"/{each}")).headers["cache-control"]


async def test_the_docs_page_says_how_to_embed_the_widget(api: httpx.AsyncClient) -> None:
    """The line to paste is there, with the integrity of the file that is served."""
    page = (await api.get("/docs")).text
    digest = hashlib.sha384((await api.get("/widget.js")).content).digest()
    assert f"sha384-{base64.b64encode(digest).decode()}" in page
