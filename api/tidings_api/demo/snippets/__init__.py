"""The code to paste that the demo page shows, in cards with a tab per framework.

Each `.txt` file is the code of one tab. `$api`, `$widget` and `$integrity` in it become those of this server.
"""

from collections.abc import Mapping
from html import escape
from string import Template
from typing import Final

from msgspec import Struct

from tidings_api.assets import asset

_ROUTE: Final = (
    "The route <code>/my-token</code> gives a user a token for the own inbox and nothing else. "
    "<code>{function}</code> is your function: it returns the id of the user who is logged in."
)


class Tab(Struct, frozen=True):
    """The code for one framework; `language` chooses its colors. A script writes it if it has no file."""

    name: str
    file: str
    language: str
    has_file: bool = True


class Card(Struct, frozen=True):
    """A heading, a line of HTML about the code, and the tabs."""

    heading: str
    about: str
    tabs: tuple[Tab, ...]


CARDS: Final = (
    Card(
        "Into a page",
        "A bell with a live badge and an inbox. A pinned script runs only if it is this very file.",
        (Tab("HTML", "html", "html"), Tab("Pinned", "pinned", "html"), Tab("React", "react", "javascript")),
    ),
    Card(
        "Into your server",
        _ROUTE.format(function="logged_in"),
        (
            Tab("FastAPI", "fastapi", "python"),
            Tab("Flask", "flask", "python"),
            Tab("Django", "django", "python"),
            Tab("Express", "express", "javascript"),
            Tab("Next.js", "next", "javascript"),
            Tab("Rails", "rails", "ruby"),
        ),
    ),
    Card(
        "Into a terminal",
        "The request for the notification in the form. Its token expires after one hour.",
        (
            Tab("curl", "curl", "shell", has_file=False),
            Tab("Python", "python", "python", has_file=False),
            Tab("JavaScript", "javascript", "javascript", has_file=False),
        ),
    ),
)


def code(file: str) -> str:
    """The code of a tab, with its variables."""
    return asset(f"{file}.txt", __name__).body.decode()


def cards(values: Mapping[str, str]) -> str:
    """All cards as HTML."""
    return "\n".join(_card(card, values) for card in CARDS)


def _card(card: Card, values: Mapping[str, str]) -> str:
    tabs = "".join(
        f'<button type="button" role="tab" id="tab-{tab.file}" aria-controls="panel-{tab.file}" '
        f'aria-selected="{str(not index).lower()}" tabindex="{-1 if index else 0}">{tab.name}</button>'
        for index, tab in enumerate(card.tabs)
    )
    panels = "".join(
        f'<div role="tabpanel" id="panel-{tab.file}" aria-labelledby="tab-{tab.file}"'
        f'{" hidden" if index else ""}><pre tabindex="0"><code id="snippet-{tab.file}"'
        f"{_shown(tab, values)}</code></pre></div>"
        for index, tab in enumerate(card.tabs)
    )
    return (
        f'<article class="card snippet"><h3>{card.heading}</h3><p>{card.about}</p><div class="bar">'
        f'<div role="tablist" aria-label="{card.heading}">{tabs}</div>'
        f'<button type="button" class="copy">Copy</button></div>{panels}</article>'
    )


def _shown(tab: Tab, values: Mapping[str, str]) -> str:
    if not tab.has_file:
        return ">"
    text = Template(code(tab.file)).substitute(values)
    return f' data-language="{tab.language}">{escape(text.rstrip())}'
