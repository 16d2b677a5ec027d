"""For clients of servers on loopback, which have no TLS."""

import ssl
from typing import Final

# Without it httpx loads the authorities of the system for each client, which takes 30 ms of processor time.
NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
