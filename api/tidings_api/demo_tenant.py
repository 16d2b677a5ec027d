"""The tenant that `tidings-server dev` creates. `dev` prints its key, and the demo page gets its tokens."""

from typing import Final

TENANT: Final = "demo"

# Where the API of `dev` answers the messages of clients.
UPSTREAM_PATH: Final = "/demo/upstream"
