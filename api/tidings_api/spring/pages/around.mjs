// Around the chat: the state of its connection, the frames on it, and the transports that it may use.

import "./copying.mjs";

const KEPT = 200;
const STATE = document.getElementById("state");
const STATUS = document.getElementById("status");
const FRAMES = document.getElementById("frames");
const COUNT = document.getElementById("frame-count");
const NAMES = {
  websocket: "WebSocket",
  "xhr-streaming": "XHR streaming",
  "xhr-polling": "XHR polling",
  eventsource: "EventSource",
};

const transports = new URLSearchParams(location.search).get("transports");
const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const SockJs = globalThis.SockJS;
let seen = 0;

/** The page's own constructor, with the transports of the address, and watched. */
globalThis.SockJS = function WatchedSockJS(url, protocols, options) {
  const socket = new SockJs(url, protocols, {
    ...options,
    ...(transports && { transports: transports.split(",") }),
  });
  const send = socket.send.bind(socket);
  socket.send = (text) => {
    frame("sent", text);
    return send(text);
  };
  // A listener would be called after the handler of stomp.js, which sends its next frames.
  let handler = null;
  Object.defineProperty(socket, "onmessage", {
    get: () => handler,
    set: (own) => {
      handler = (event) => {
        received(event.data, socket.transport);
        own(event);
      };
    },
  });
  socket.addEventListener("close", ({ code, reason }) => {
    report("offline", `Disconnected: ${code} ${reason}`.trim());
  });
  report("connecting", "Connecting.");
  return socket;
};

/**
 * @param {string} text
 * @param {string} transport
 */
function received(text, transport) {
  frame("received", text);
  const user = /^CONNECTED\n[^\0]*?user-name:(.+)\n/.exec(text)?.[1];
  if (user) report("connected", `Connected as ${user} by ${NAMES[transport] ?? transport}.`);
}

/**
 * @param {string} state
 * @param {string} text
 */
function report(state, text) {
  STATE.textContent = state;
  STATE.className = `state ${state}`;
  STATUS.textContent = text;
}

/**
 * Shows a frame of STOMP; heartbeats are left out.
 * @param {"sent" | "received"} direction
 * @param {string} text
 */
function frame(direction, text) {
  const [head, body = ""] = text.replaceAll("\0", "").split("\n\n");
  const [command, ...headers] = head.trim().split("\n");
  if (!command) return;
  const row = document.createElement("tr");
  row.className = direction;
  const arrow = direction === "sent" ? "→ server" : "← server";
  for (const content of [time.format(), arrow, command, [...headers, body].join("  ")]) {
    row.insertCell().textContent = content;
  }
  FRAMES.prepend(row);
  while (FRAMES.childElementCount > KEPT) FRAMES.lastElementChild.remove();
  seen += 1;
  COUNT.textContent = String(seen);
}

for (const link of document.querySelectorAll(".switch a")) {
  if (link.search === location.search) link.ariaCurrent = "page";
}
// Keys alone can scroll what has no link or button.
for (const scroller of document.querySelectorAll(".script pre, .messages")) scroller.tabIndex = 0;
document.getElementById("clear").addEventListener("click", () => {
  FRAMES.replaceChildren();
  seen = 0;
  COUNT.textContent = "0";
});
document.getElementById("another").href = location.href;
