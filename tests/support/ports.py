"""TCP ports for servers of tests."""

import os
import random
import re
import socket

# The kernel gives outgoing connections ports from 32768 on (net.ipv4.ip_local_port_range).
_FIRST, _LAST = 12_000, 32_000
_PROCESSES = 8
_given: set[int] = set()


def free_port() -> int:
    """A free port of the loopback interface, never given before.

    No outgoing connection and no other process of the tests uses it, so it stays free until its server
    starts, and while that restarts.
    """
    worker = re.search(r"\d+", os.environ.get("PYTEST_XDIST_WORKER", "0"))
    assert worker is not None
    share = (_LAST - _FIRST) // _PROCESSES
    first = _FIRST + int(worker[0]) % _PROCESSES * share
    while True:
        port = random.randrange(first, first + share)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
