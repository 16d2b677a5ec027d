// Before SockJS: with ?transports= this page has no WebSocket, as behind a proxy that blocks them.

if (new URLSearchParams(location.search).has("transports")) delete globalThis.WebSocket;
