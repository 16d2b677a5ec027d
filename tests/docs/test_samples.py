"""The code of each operation, in the OpenAPI document and on its page, run against a real server."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.no_tls import NO_TLS
from tests.support.ports import free_port
from tests.support.stack import Stack, clean_environment, running_stack
from tests.support.valkey import wait_until
from tidings import Tidings
from tidings.protocol.times import timestamp
from tidings_api.app import describe
from tidings_api.samples import PATH_EXAMPLES
from tidings_workers.registry import SERVER_SCOPES
from tidings_workers.store.ids import milliseconds

Run = Callable[[str], str]
# The SDK has no method for these. Some of them are requests that it makes within another call.
WITHOUT_METHOD = {
    "grant_token",
    "list_topics",
    "get_topic",
    "list_topic_notifications",
    "acknowledge",
    "acknowledge_events",
    "get_realtime_address",
    "create_ticket",
    "live",
    "ready",
}
# Imports each text that it reads as a module, and prints its error or nothing.
NODE = """
import { createInterface } from "node:readline";
const print = process.stdout.write.bind(process.stdout);
for await (const line of createInterface({ input: process.stdin })) {
  let shown = "";
  console.log = (...values) => { shown += JSON.stringify(values); };
  const error = await import(`data:text/javascript,${encodeURIComponent(JSON.parse(line))}`).then(
    () => null,
    (error) => String(error),
  );
  print(JSON.stringify([shown, error]) + "\\n");
}
"""


class EnoughError(Exception):
    """Ends a sample that reads events without an end."""


def samples(label: str) -> dict[str, str]:
    """The code of each operation in a language."""
    return {
        operation["operationId"]: each["source"]
        for item in describe()["paths"].values()
        for operation in item.values()
        for each in operation["x-codeSamples"]
        if each["label"] == label
    }


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("samples")) as running:
        yield running


@pytest.fixture
def tidings(stack: Stack) -> Iterator[Tidings]:
    with Tidings(stack.api, key=stack.key) as client:
        yield client


@pytest.fixture
def variables(stack: Stack) -> dict[str, str]:
    """The environment that the samples read."""
    return {
        "TIDINGS_URL": stack.api,
        "TIDINGS_KEY": stack.key,
        "TOKEN": stack.token("shop", " ".join(SERVER_SCOPES)),
        "USER_TOKEN": stack.token("ana"),
    }


def check_all(label: str, run: Run, tidings: Tidings, stack: Stack) -> dict[str, str]:
    """Runs each sample of a language, after making the things that its path names. Returns the outputs."""
    outputs = {}
    for operation, code in samples(label).items():
        with ExitStack() as made:
            text = code
            for name, value in real_values(operation, tidings, stack, made).items():
                text = text.replace(PATH_EXAMPLES[name], value)
            # A snooze ends in the future, which an example cannot always name.
            text = text.replace("2026-11-23T08:00:00.000Z", timestamp(milliseconds() + 3_600_000))
            outputs[operation] = run(text)
    return outputs


def real_values(operation: str, tidings: Tidings, stack: Stack, made: ExitStack) -> dict[str, str]:
    """Makes what the sample of an operation needs, and returns the ids of it."""
    tidings.groups.add("team-7", ["ana", "eve"])
    tidings.send(to_topics="orders/4711", title="On its way")
    if operation == "read_events":
        wanted = {"consumer": "worker", "types": "notification.stored", "wait": "0"}
        bearer = {"Authorization": f"Bearer {stack.token('shop', 'events')}"}
        httpx.get(f"{stack.api}/v1/events", params=wanted, headers=bearer, verify=NO_TLS).raise_for_status()
    values = {}
    if "webhook" in operation or "deliver" in operation:
        webhook = tidings.webhooks.create(f"http://127.0.0.1:{free_port()}/hooks", ["notification.stored"])
        made.callback(tidings.webhooks.delete, webhook.id)
        values["webhook"] = webhook.id
    actions = [{"id": "track", "label": "Track"}]
    values["notification"] = tidings.send(to_users=["ana", "bob"], title="On its way", actions=actions).id
    if "deliver" in operation:
        pending = tidings.webhooks.deliveries(values["webhook"], status="pending")
        wait_until(lambda: any(each.attempts for each in pending), "a delivery that failed once", 20)
        values["delivery"] = next(iter(pending)).id
    if "upstream" in operation:
        tidings.upstream.set("https://shop.example/tidings")
    if operation == "disconnect_connection":
        made.enter_context(tidings.listen(user="ana"))
        wait_until(lambda: tidings.users.presence("ana").online, "the connection", 20)
        values["connection_id"] = tidings.users.presence("ana").connections[0].connection
    return values


def check_outputs(outputs: dict[str, str]) -> None:
    """The outputs of some samples have what the request answers with."""
    assert "notification.stored" in outputs["read_events"]
    assert "On its way" in outputs["list_inbox"]
    assert "On its way" in outputs["list_own_inbox"]
    assert "orders/4711" in outputs["get_topic"]
    assert "https://shop.example/tidings" in outputs["get_upstream"]


def test_curl(stack: Stack, tidings: Tidings, variables: dict[str, str]) -> None:
    """Each command for curl is accepted by the server."""
    shell = 'curl() { command curl --fail-with-body "$@"; }\n'

    def run(code: str) -> str:
        done = subprocess.run(
            ["bash", "-euc", shell + code],
            capture_output=True,
            text=True,
            env=clean_environment(**variables),
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    check_outputs(check_all("curl", run, tidings, stack))


def test_python(
    stack: Stack, tidings: Tidings, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sample in Python runs, with the SDK or with httpx."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def run(code: str) -> str:
        printed: list[str] = []

        def show(*values: Any) -> None:
            printed.append(" ".join(map(str, values)))
            if "tidings.events(" in code:
                raise EnoughError

        with suppress(EnoughError):
            exec(code, {"print": show})  # noqa: S102 - the documented code is tested
        return "\n".join(printed)

    check_outputs(check_all("Python", run, tidings, stack))


def test_javascript(stack: Stack, tidings: Tidings, variables: dict[str, str], tmp_path: Path) -> None:
    """Each sample in JavaScript runs as a module of Node, and the server accepts its request."""
    node = shutil.which("node")
    assert node is not None
    module = tmp_path / "samples.mjs"
    module.write_text(NODE)
    with subprocess.Popen(
        [node, str(module)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(**variables),
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        channel, answers = running.stdin, running.stdout

        def run(code: str) -> str:
            channel.write(json.dumps(code) + "\n")
            channel.flush()
            shown, error = json.loads(answers.readline())
            assert error is None, f"{code}\n{error}"
            return str(shown)

        check_outputs(check_all("JavaScript", run, tidings, stack))
        channel.close()


def test_the_operations_that_the_sdk_lacks_are_listed() -> None:
    """Each other operation has a method of the SDK, which its sample calls."""
    assert {operation for operation, code in samples("Python").items() if "httpx" in code} == WITHOUT_METHOD
