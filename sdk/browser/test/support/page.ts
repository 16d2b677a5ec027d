/** What runs in the pages of `Site`: a client for the user in the address, and what it told. */

import { Tidings } from "../../src/client/index.js";

declare const API: string;
declare global {
  var tidings: Tidings;
  var titles: string[];
  var statuses: string[];
  var reloads: number;
}

globalThis.titles = [];
globalThis.statuses = [];
globalThis.reloads = 0;
globalThis.tidings = new Tidings({ url: API, token: () => fetch(`/token${location.search}`) });
tidings.on("notification", ({ item }) => titles.push(item.notification.title ?? ""));
tidings.on("status", ({ status }) => statuses.push(status));
tidings.on("state", ({ reload }) => {
  if (reload) globalThis.reloads++;
});
tidings.connect();
