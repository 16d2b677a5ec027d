"""STOMP in SockJS over a WebSocket."""

from typing import ClassVar

from tidings.protocol.closing import CloseCode
from tidings_workers.gateway.plain_handshake import Handshake
from tidings_workers.gateway.sockjs import framing
from tidings_workers.gateway.stomp.refusals import BROKEN
from tidings_workers.gateway.stomp.socket import StompSocket
from tidings_workers.gateway.stomp.wire import Wires
from tidings_workers.gateway.websocket import text_frame


class SockJsSocket(StompSocket):
    """One client of SockJS whose transport is a WebSocket."""

    __slots__ = ()

    wires: ClassVar[Wires] = Wires(framing.in_socket)

    def accept(self, request: Handshake) -> None:
        """See WebSocket."""
        super().accept(request)
        self.write_unconfirmed(text_frame(framing.OPEN))

    def receive(self, data: bytes) -> None:
        """See Connection. Empty messages are ignored."""
        if not data:
            return
        try:
            messages = framing.messages(data)
        except framing.BrokenMessage:
            self.close(BROKEN, "broken JSON")
            return
        for number, message in enumerate(messages):
            # The first one was counted as a message.
            if number and not self.admit_frame():
                return
            super().receive(message)

    def write_end(self, code: CloseCode, reason: str) -> None:
        """See StompConnection."""
        self.write_last(text_frame(framing.close(code.code, reason)))
        super().write_end(code, reason)
