"""The tenant that `tidings-server dev` makes. It prints the key; the demo page gets tokens of it."""

from typing import Final

TENANT: Final = "demo"
