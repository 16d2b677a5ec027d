"""STOMP 1.0, 1.1 and 1.2 as a transport of the gateway.

`frames` and `parser` are the bytes of the protocol, without I/O.
"""
