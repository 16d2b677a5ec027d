"""SockJS: messages by WebSocket, or by HTTP where that is blocked."""
