// A page of some application, as one user has it open. It tells the page around it what travels on
// its connection, so that it can be watched there.

import { Tidings } from "/tidings.mjs";
import "/widget.mjs";

const { user } = document.body.dataset;

/** @param {Record<string, unknown>} news */
function tell(news) {
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
    this.addEventListener("message", ({ data }) => tell({ received: data }));
  }

  /** @param {string} text */
  send(text) {
    super.send(text);
    tell({ sent: text });
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
client.on("status", ({ status }) => tell({ status }));
client.on("notification", ({ item }) => tell({ arrived: item.notification.id }));
document.getElementById("inbox").client = client;
client.connect();
