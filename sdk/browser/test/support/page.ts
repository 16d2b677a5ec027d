/** The script of the pages of `Site`: a client for the user in the address, and a record of its events. */

import { Tidings } from "../../src/client/index.js";

declare const API: string;
declare global {
  var tidings: Tidings;
  var titles: string[];
  var statuses: string[];
  var transports: string[];
  var reloads: number;
  var broken: boolean;
}

globalThis.titles = [];
globalThis.statuses = [];
globalThis.transports = [];
globalThis.reloads = 0;
globalThis.broken = false;
globalThis.tidings = new Tidings({
  url: API,
  // An application may throw any value. Not every value can be posted to other tabs.
  token: () => (broken ? Promise.reject(new Response()) : fetch(`/token${location.search}`)),
});
tidings.on("notification", ({ item }) => titles.push(item.notification.title ?? ""));
tidings.on("status", ({ status, transport }) => {
  statuses.push(status);
  if (transport) transports.push(transport);
});
tidings.on("state", ({ reload }) => {
  if (reload) globalThis.reloads++;
});
tidings.connect();
