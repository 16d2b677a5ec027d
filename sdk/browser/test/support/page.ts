/** What runs in the pages of `Site`: a client for the user in the address, and what it told. */

import { Tidings } from "../../src/client/index.js";

declare const API: string;
declare global {
  var tidings: Tidings;
  var titles: string[];
  var statuses: string[];
  var reloads: number;
  var broken: boolean;
}

globalThis.titles = [];
globalThis.statuses = [];
globalThis.reloads = 0;
globalThis.broken = false;
globalThis.tidings = new Tidings({
  url: API,
  // What an application throws is its own affair: not every error, and not everything can be told to tabs.
  token: () => (broken ? Promise.reject(new Response()) : fetch(`/token${location.search}`)),
});
tidings.on("notification", ({ item }) => titles.push(item.notification.title ?? ""));
tidings.on("status", ({ status }) => statuses.push(status));
tidings.on("state", ({ reload }) => {
  if (reload) globalThis.reloads++;
});
tidings.connect();
