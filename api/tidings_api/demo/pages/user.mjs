// A page of an application that one user has opened. It sends each frame of its connection to the page
// around it, which shows them.

import { Tidings } from "/tidings.mjs";
import "/widget.mjs";

const { user } = document.body.dataset;
const inbox = document.getElementById("inbox");

/** @param {Record<string, unknown>} news */
function report(news) {
  parent.postMessage({ ...news, user }, location.origin);
}

/** A WebSocket that shows its frames. */
class ShownSocket extends WebSocket {
  /**
   * @param {string} url
   * @param {string[]} [protocols]
   */
  constructor(url, protocols) {
    super(url, protocols);
    this.addEventListener("message", ({ data }) => report({ received: data }));
  }

  /** @param {string} text */
  send(text) {
    super.send(text);
    report({ sent: text });
  }
}

const client = new Tidings({
  url: location.origin,
  webSocket: ShownSocket,
  token: () =>
    fetch("/demo/tokens", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ role: user }),
    }),
});
client.on("status", ({ status }) => report({ status }));
client.on("notification", ({ item }) => report({ arrived: item.notification.id }));

// The links of the examples lead to a shop that does not exist, and this window shows no other site. A link to a
// parcel shows its line on this page.
document.addEventListener("tidings-open", (event) => {
  event.preventDefault();
  const number = event.detail.item.notification.link?.split("/").at(-1);
  const parcel = number && document.getElementById(`parcel-${number}`);
  if (!parcel) return;
  inbox.close();
  parcel.classList.remove("found");
  requestAnimationFrame(() => parcel.classList.add("found"));
});
inbox.client = client;
if (location.hash === "#open") {
  const off = client.on("status", ({ status }) => {
    if (status !== "connected") return;
    off();
    inbox.open();
  });
}
client.connect();
