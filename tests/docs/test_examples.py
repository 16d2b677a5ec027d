"""The examples of the documents work when pasted, and print the documented output."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.docs import player
from tests.docs.answers import differences
from tests.docs.documents import Example, examples
from tests.support.stack import Stack, clean_environment, running_stack
from tests.support.tree import ROOT

DOCUMENTS = (
    "README.md",
    "docs/events.md",
    "docs/operations.md",
    "docs/python.md",
    "docs/sending.md",
    "docs/spring.md",
    "docs/sse.md",
    "docs/topics.md",
)
# Only an example that hangs takes so long, on a busy machine too.
PLAY_SECONDS = 200


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A `dev` with only the users and groups of the document."""
    with running_stack(tmp_path) as running:
        yield running


@pytest.mark.timeout(300)  # a document has many commands, and each is a process
@pytest.mark.parametrize("document", DOCUMENTS)
def test_examples_work_when_pasted(document: str, stack: Stack) -> None:
    """Each example of a document runs on a fresh `dev` and prints the documented output."""
    home = stack.home
    (home / ".venv").symlink_to(sys.prefix)
    found = examples(ROOT / document)
    shell = [example for example in found if example.language == "sh"]
    python = [example for example in found if example.language == "python"]
    node = [example for example in found if example.language == "js"]
    played = [*_play_python(python, stack), *_play_shell(shell, stack), *_play_node(node, stack)]
    wrong = []
    for example, came in played:
        if example.answer is not None:
            language, shown = example.answer
            found_wrong = differences(language, _here(shown, stack), came)
            wrong += [f"{document}:{example.line}: {difference}" for difference in found_wrong]
    assert wrong == []


@pytest.mark.timeout(300)  # as above
def test_the_documents_work_one_after_the_other(stack: Stack) -> None:
    """A reader who has followed the README gets the output of docs/python.md on the same server."""
    (stack.home / ".venv").symlink_to(sys.prefix)
    wrong = []
    for document in ("README.md", "docs/python.md"):
        python = [example for example in examples(ROOT / document) if example.language == "python"]
        for example, came in _play_python(python, stack):
            if example.answer is not None:
                found = differences(example.answer[0], example.answer[1], came)
                wrong += [f"{document}:{example.line}: {difference}" for difference in found]
    assert wrong == []


def _play_shell(blocks: Sequence[Example], stack: Stack) -> list[tuple[Example, str]]:
    """Run all blocks in one shell, so that later ones have the variables of earlier ones."""
    ended = f"printf '\\{ord(player.END):03o}'"
    script = "\n".join(f"{_here(block.code, stack)}\n{ended}" for block in blocks)
    return _outputs(["bash", "-euo", "pipefail", "-c", script], "", blocks, stack)


def _play_python(blocks: Sequence[Example], stack: Stack) -> list[tuple[Example, str]]:
    if not blocks:
        return []
    code = [_here(block.code, stack) for block in blocks]
    return _outputs(player.command(code), player.typed(code), blocks, stack)


def _play_node(blocks: Sequence[Example], stack: Stack) -> list[tuple[Example, str]]:
    """Run each block as a module of its own."""
    played = []
    for block in blocks:
        module = stack.home / "example.mjs"
        module.write_text(f"{_here(block.code, stack)}\nprocess.stdout.write({player.END!r});\n")
        played += _outputs(["node", str(module)], "", [block], stack)
    return played


def _outputs(
    command: list[str], stdin: str, blocks: Sequence[Example], stack: Stack
) -> list[tuple[Example, str]]:
    environment = clean_environment(
        TIDINGS_URL=stack.api, TIDINGS_KEY=stack.key, TIDINGS_DATA=str(stack.data)
    )
    environment["PATH"] = f"{Path(sys.prefix) / 'bin'}:{environment['PATH']}"
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        cwd=stack.home,
        env=environment,
        timeout=PLAY_SECONDS,
        check=False,
    )
    outputs = done.stdout.split(player.END)[1 if stdin else 0 :]
    failed = blocks[len(outputs) - 1].line if len(outputs) <= len(blocks) else 0
    assert done.returncode == 0, f"the example in line {failed} failed:\n{done.stderr}\n{outputs[-1]}"
    assert not (stdin and player.failed(done.stderr)), done.stderr
    return list(zip(blocks, outputs[:-1], strict=True))


def _here(text: str, stack: Stack) -> str:
    """The text with the addresses of this `dev` in place of the documented ones."""
    text = text.replace("http://127.0.0.1:8000", stack.api)
    text = text.replace("ws://127.0.0.1:8001/v1/realtime", stack.realtime)
    return text.replace("http://127.0.0.1:8001/v1/realtime", stack.realtime.replace("ws://", "http://"))
