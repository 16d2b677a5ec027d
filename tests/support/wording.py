"""The rules for English of CONTRIBUTING.md, as far as a program can check them."""

import re

_STORY = re.compile(
    r"\b(anew|meanwhile|mend(?:s|ed|ing)?|by (?:itself|themselves)|(?:is|are) told|whoever|nobody)\b",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"(?:^|[.:;] )(?:What|Who|Whoever|Nobody) [a-z][^?]*?(?:[.;]|$)")


def violations(text: str) -> list[str]:
    """Words that hide the condition or the event, and clauses used as a subject, in one paragraph of text."""
    return [match[0] for rule in (_STORY, _RELATIVE) for match in rule.finditer(text)]
