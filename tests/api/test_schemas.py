"""The documents in openapi/ match the code and the running server."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.support.no_tls import NO_TLS
from tests.support.ports import free_port
from tests.support.short_home import short_home
from tests.support.valkey import running, wait_until
from tidings.protocol import limits
from tidings.protocol.frames import CLIENT_FRAMES, SERVER_FRAMES
from tidings_api.app import describe
from tidings_api.asyncapi import describe_realtime, describe_types
from tidings_api.schemas import stale
from tidings_workers.config import Settings
from tidings_workers.registry import SCOPES, Registry
from tidings_workers.store import Store
from tidings_workers.tokens import make_token

OPENAPI = Path(__file__).parents[2] / "openapi"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]

DOCUMENT = describe()
OPERATIONS = [(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods]

schema = schemathesis.openapi.from_dict(DOCUMENT)


def test_the_documents_are_current() -> None:
    """openapi/ has the output of python -m tidings_api.schemas."""
    assert stale(OPENAPI) == []


def test_the_types_are_a_json_schema() -> None:
    """openapi/schema.json is a JSON Schema and accepts the contract's example of a notification."""
    document = describe_types()
    jsonschema.Draft202012Validator.check_schema(document)
    check = jsonschema.Draft202012Validator({**document, "$ref": "#/$defs/CreateNotification"})
    for example in document["$defs"]["CreateNotification"]["examples"]:
        check.validate(example)
    assert not check.is_valid({"to": {}, "title": "x"})
    assert not check.is_valid({"to": {"all": True}})


def test_every_frame_is_in_the_realtime_document() -> None:
    """The AsyncAPI document has each frame under its name on the wire."""
    document = describe_realtime()
    named = {message["name"] for message in document["components"]["messages"].values()}
    assert named == {frame.__struct_config__.tag for frame in (*CLIENT_FRAMES, *SERVER_FRAMES)}


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, str]]:
    """The URL of `tidings-server api` on a store of its own, and a token with every scope."""
    home = short_home()
    with running(home) as valkey:
        port = free_port()
        config = Settings(redis_url=valkey.url, port=port)
        token = asyncio.run(_prepare(config))
        environment = {
            "PATH": os.environ["PATH"],
            "REDIS_URL": valkey.url,
            "TIDINGS_PORT": str(port),
        }
        with ExitStack() as parts:
            log = parts.enter_context((home / "log").open("wb"))
            for part in ("dispatcher", "api"):
                parts.enter_context(_started(part, environment, log))
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: _ready(url), f"starting the API, see {home / 'log'},", 30)
            yield url, token
    shutil.rmtree(home)


@contextmanager
def _started(part: str, environment: dict[str, str], log: IO[bytes]) -> Iterator[None]:
    """`tidings-server <part>`, stopped at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tidings_api.cli", part],
        env=environment | {"TIDINGS_OPERATOR_PORT": str(free_port())},
        stdout=log,
        stderr=log,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(15)


async def _prepare(config: Settings) -> str:
    store = await Store.open(config, name="test")
    registry = Registry(store.redis)
    await registry.create_tenant("demo")
    await registry.create_key("demo")
    key = await registry.signing_key("demo")
    await store.close()
    assert key is not None
    return make_token(key, "demo", "shop", frozenset(SCOPES), 3600, time.time())


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", verify=NO_TLS).status_code == 200
    except httpx.TransportError:
        return False


def beyond_schemas(case: Case[Any]) -> bool:
    """Whether it has a value that no schema can check: a cursor, a used key, a time, or 5.0 for a number."""
    query = case.query or {}
    return (
        "cursor" in query
        or "after" in query
        or case.path.endswith("/snooze")
        or "Idempotency-Key" in (case.headers or {})
        or has_float(case.body)
    )


def breaks_http(case: Case[Any]) -> bool:
    """Whether it has a header by which HTTP divides requests: a wrong one is refused before any route."""
    dividing = {"connection", "content-length", "host", "te", "transfer-encoding", "upgrade"}
    return not dividing.isdisjoint(name.lower() for name in case.headers or {})


def do_not_wait(case: Case[Any]) -> None:
    """Ask for events at once where it waits for some."""
    query = case.query or {}
    if case.path == "/v1/events" and str(query.get("wait", 20)).removeprefix("+").isdigit():
        case.query = {**query, "wait": 0 if int(query.get("wait", 20)) <= limits.EVENTS_WAIT_MAXIMUM else 61}


def has_float(value: Any) -> bool:
    """Whether it contains a float at any level."""
    if isinstance(value, dict | list):
        return any(map(has_float, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_server_answers_as_documented(method: str, path: str, server: tuple[str, str]) -> None:
    """For any request, allowed or forbidden, the server answers as the document says and with no 5xx."""
    url, token = server

    @settings(
        max_examples=25,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def answers(case: Case[Any]) -> None:
        if breaks_http(case):
            return
        do_not_wait(case)
        checks = CHECKS if beyond_schemas(case) else [*CHECKS, positive_data_acceptance]
        case.call_and_validate(base_url=url, headers={"Authorization": f"Bearer {token}"}, checks=checks)

    # `schema.parametrize` makes all cases when the tests are collected, in each process.
    modes = [HypothesisTestMode.EXAMPLES, HypothesisTestMode.FUZZING, HypothesisTestMode.COVERAGE]
    config = HypothesisTestConfig(project=schema.config, modes=modes)
    create_test(operation=schema[path][method], test_func=answers, config=config)()


def test_the_served_document_is_the_checked_in_one(server: tuple[str, str]) -> None:
    """GET /openapi.json answers the checked-in document."""
    served: Any = httpx.get(f"{server[0]}/openapi.json", verify=NO_TLS).json()
    assert served == json.loads((OPENAPI / "openapi.json").read_text())
