"""Every test names its promise."""

import ast

from tests.support.tree import ROOT, tracked


def test_each_test_names_its_promise() -> None:
    """Every test function has a docstring of one sentence, which is the promise that it checks."""
    unnamed = [
        f"{path}:{node.lineno} {node.name}"
        for path in tracked("tests")
        if path.endswith(".py")
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        if not (ast.get_docstring(node) or "").endswith(".")
    ]
    assert unnamed == []
