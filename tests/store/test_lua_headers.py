"""The header of each Lua script: its keys, arguments and fields are those of its code and of its callers."""

import importlib
import pkgutil
import re
from typing import Any, get_args

import pytest
from msgspec import Struct
from msgspec.inspect import StructType, type_info

import tidings_workers.store
from tests.support.tree import ROOT
from tidings_workers.store.lua import SCRIPTS
from tidings_workers.store.operations import TargetOperation

FOLDER = ROOT / "workers" / "tidings_workers" / "store" / "scripts"

NUMBERED = re.compile(r"^ +(\d+) (\w+)", re.MULTILINE)
LISTED = re.compile(r"\{((?:'\w', )?\w+(?:, \w+)+)\}")


def parts(name: str) -> tuple[str, str]:
    """The header of a script, and its own code."""
    text = (FOLDER / f"{name}.lua").read_text().removeprefix("#!lua\n")
    header, code = text.removeprefix("--[[\n").split("\n]]\n", 1)
    return header, code


def field_lists(header: str) -> list[list[str]]:
    """The fields of each packed list that a header describes, in order; the kind of an item is one letter."""
    found: list[list[str]] = []
    for number, field in NUMBERED.findall(header):
        if number == "1" or not found or int(number) != len(found[-1]) + 1:
            # The kinds of an item are described above its other fields.
            found.append(["kind"] if number == "2" else [])
        found[-1].append(field)
    return found + [fields.replace("'", "").split(", ") for fields in LISTED.findall(header)]


def requests() -> list[tuple[str, type[Struct]]]:
    """Each type of which the docstring says that it is a request of a script, or an item of one."""
    found = []
    for module in pkgutil.iter_modules(tidings_workers.store.__path__, "tidings_workers.store."):
        for value in vars(importlib.import_module(module.name)).values():
            described = re.match(
                r"(?:The request|An item) of (\w+)\.lua", getattr(value, "__doc__", "") or ""
            )
            if described and value.__module__ == module.name:
                found.append((described[1], value))
    return found


def fields_of(request: type[Any]) -> list[str]:
    """The fields of a packed list as a header has them."""
    info = type_info(request)
    assert isinstance(info, StructType)
    kind = [] if info.tag is None else [str(info.tag)]
    return kind + [field.encode_name for field in info.fields]


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_header_names_keys_arguments_and_reply(name: str) -> None:
    """A header has the keys and arguments that the code takes, each with its meaning, and the reply."""
    header, code = parts(name)
    assert re.search(r"^  Returns ", header, re.MULTILINE)
    taken = {int(number) for number in re.findall(r"ARGV\[(\d)\]", code)}
    for names in re.findall(r"local ([\w, ]+) = unpack\(ARGV\)", code):
        taken |= set(range(1, len(names.split(", ")) + 1))
    assert [int(number) for number in re.findall(r"^  ARGV\[(\d)\]  \S", header, re.MULTILINE)] == sorted(
        taken
    )
    keys = re.search(r"local ([\w, ]+) = unpack\(KEYS\)", code)
    count = len(keys[1].split(", ")) if keys else 1
    described = re.findall(r"^  KEYS\[(\d)\]  \S", header, re.MULTILINE)
    assert [int(number) for number in described] == list(range(1, count + 1))


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_header_names_the_fields_of_the_request(name: str) -> None:
    """The fields of a packed request have the same order and names in the header and in the code."""
    header, code = parts(name)
    request = re.search(r"local ([\w,\s]+) =\s+unpack\(cmsgpack\.unpack\(ARGV\[1\]\)\)", code)
    described = re.search(r"^  ARGV\[1\]  packed:\n((?: {4,}.*\n)+)", header, re.MULTILINE)
    assert (request is None) == (described is None)
    if request and described:
        fields = re.findall(r"^    (\d+) (\w+)", described[1], re.MULTILINE)
        assert fields == [(str(at), field) for at, field in enumerate(re.split(r",\s+", request[1]), 1)]


@pytest.mark.parametrize(("script", "request_type"), requests())
def test_a_request_has_the_fields_of_the_header(script: str, request_type: type[Struct]) -> None:
    """The type of a request, or of an item, has the fields that the header of the script describes."""
    lists = field_lists(parts(script)[0])
    fields = fields_of(request_type)
    fields[0] = "kind" if len(fields[0]) == 1 else fields[0]
    assert any(described[: len(fields)] == fields for described in lists), (fields, lists)


@pytest.mark.parametrize("operation", get_args(TargetOperation))
def test_an_operation_has_the_fields_of_the_header(operation: type[Struct]) -> None:
    """The type of an operation of a step has the fields that the header of apply.lua describes."""
    assert fields_of(operation) in field_lists(parts("apply")[0])


def test_requests_are_found() -> None:
    """The types of requests are looked up by their docstrings, and those of the hot scripts are found."""
    assert {"accept", "begin", "mark", "survey", "delivered"} <= {script for script, _ in requests()}
