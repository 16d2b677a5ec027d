"""The chat room of docs/upstream.md, and a client of each kind in it."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.browser.conftest import NewDevice
from tests.browser.test_spring_page import joined, say
from tests.docs.documents import elsewhere
from tests.support.ports import free_port
from tests.support.sending import eventually
from tests.support.stack import Stack, clean_environment
from tests.support.tree import ROOT
from tidings import AsyncTidings, FrameRefusedError, LiveInbox

APPLICATION, PAGE, PROGRAM = elsewhere(ROOT / "docs/upstream.md", "tests/browser/test_chat_room.py")
SHOWN = """() => [...document.querySelectorAll("#messageArea li")].map((row) => {
  const name = row.querySelector("b");
  return name ? `${name.textContent} ${name.nextSibling.textContent}` : row.textContent;
})"""


@asynccontextmanager
async def running(dev: Stack, code: str) -> AsyncIterator[Process]:
    """A program of the document, in its own process."""
    environment = clean_environment(TIDINGS_URL=dev.api, TIDINGS_KEY=dev.key)
    program = await asyncio.create_subprocess_exec(sys.executable, "-c", code, env=environment, stdout=PIPE)
    try:
        yield program
    finally:
        if program.returncode is None:
            program.terminate()
        await program.wait()


async def outcome(inbox: LiveInbox) -> str:
    """The outcome of a message that the sample of `dev` repeats, and the chat room does not know."""
    try:
        return str(await inbox.message("probe", "repeated"))
    except FrameRefusedError as error:
        return error.detail


@asynccontextmanager
async def chat_room(dev: Stack) -> AsyncIterator[None]:
    """The application in place of the sample of `dev`, which is the upstream again after it."""
    async with (
        AsyncTidings(dev.api, key=dev.key) as tidings,
        tidings.listen(user="probe") as inbox,
    ):

        async def is_asked() -> bool:
            return "404" in await outcome(inbox)

        async def is_restored() -> str:
            return await outcome(inbox)

        sample = (await tidings.upstream.get()).url
        try:
            async with running(dev, APPLICATION.replace("9000", str(free_port()))):
                await eventually(is_asked, expected=True)
                yield
        finally:
            await tidings.upstream.set(sample)
            await eventually(is_restored, expected="repeated")


async def until(program: Process, line: str) -> list[str]:
    """The lines that a program prints, up to this one."""
    assert program.stdout is not None
    lines: list[str] = []
    async with asyncio.timeout(30):
        while not lines or lines[-1] != line:
            printed = await program.stdout.readline()
            assert printed, f"the program has ended after {lines}"
            lines.append(printed.decode().rstrip("\n"))
    return lines


def since_cora(lines: list[str]) -> list[str]:
    """The lines from the first one of this test."""
    return lines[lines.index("Cora joined") :] if "Cora joined" in lines else []


async def test_three_kinds_of_clients_chat(device: NewDevice, dev: Stack) -> None:
    """A page for Spring, a page with the widget and a program see each line once, in the same order."""
    assert len(APPLICATION.splitlines()) <= 30
    async with chat_room(dev):
        spring = await joined(device, dev, "Cora")
        bob = (await (await device()).tab("bob")).page
        client = 'const { client } = document.querySelector("tidings-inbox")'
        await bob.evaluate(
            "() => { globalThis.lines = []; globalThis.show = (sender, content) =>"
            ' lines.push(`${sender} ${content ?? "joined"}`); }'
        )
        async with running(dev, f"{PROGRAM}\nimport asyncio\nasyncio.run(chat())") as program:
            await asyncio.gather(
                say(spring, "From Spring"), bob.evaluate(f"async () => {{ {client};\n{PAGE} }}")
            )
            refused = await bob.evaluate(
                f'() => {{ {client}; return client.message("message", "no line"); }}'
            )
            assert "A line is an object" in refused["error"]

            async def shown() -> set[str]:
                return set(await spring.evaluate(SHOWN))

            said = {"Cora joined", "Cora From Spring", "bob From a page", "robot From a program"}
            await eventually(shown, expected=said)
            # A client that shows the last line has got all before it.
            await say(spring, "The end")
            await eventually(shown, expected={*said, "Cora The end"})
            on_spring: list[str] = await spring.evaluate(SHOWN)
            assert len(on_spring) == len(said) + 1

            async def on_the_page() -> list[str]:
                return since_cora(await bob.evaluate("lines"))

            await eventually(on_the_page, expected=on_spring)
            assert since_cora(await until(program, "Cora The end")) == on_spring
