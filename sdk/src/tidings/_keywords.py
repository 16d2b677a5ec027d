"""Errors for wrong keywords name the right ones."""

import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from tidings._errors import InvalidArgumentError

P = ParamSpec("P")
R = TypeVar("R")


def unknown(what: str, names: Iterable[str], known: Iterable[str]) -> InvalidArgumentError:
    """The error for unknown names: it suggests similar known ones, and lists all of those."""
    known, names = list(known), sorted(map(str, names))
    close = [match for name in names for match in get_close_matches(name, known, n=1)]
    meant = f" Did you mean {', '.join(map(repr, close))}?" if close else ""
    return InvalidArgumentError(f"{what} {', '.join(map(repr, names))}.{meant} It takes {', '.join(known)}")


def checks_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a method: for an unknown keyword it raises InvalidArgumentError with a suggestion."""
    parameters = inspect.signature(function).parameters.values()
    known = tuple(each.name for each in parameters if each.kind is not each.POSITIONAL_ONLY)[1:]
    accepted = frozenset(known)

    def check(given: dict[str, Any]) -> None:
        if not given.keys() <= accepted:
            raise unknown(f"{function.__name__}() has no keyword", given.keys() - accepted, known)

    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def checked_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            check(kwargs)
            return await function(*args, **kwargs)

        return cast("Callable[P, R]", checked_async)

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        check(kwargs)
        return function(*args, **kwargs)

    return checked
