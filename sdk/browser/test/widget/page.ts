/** The page that shows the widget in the state of its address, such as `?state=usual&mode=page&lang=ar`. */

import "../../src/widget/index.js";
import { FakeInbox, notification } from "./fake.js";
import { STATES } from "./states.js";

declare global {
  interface Window {
    inbox: FakeInbox;
    notification: typeof notification;
  }
}

const asked = new URLSearchParams(location.search);
const lang = asked.get("lang") ?? "en";
document.documentElement.lang = lang;
document.documentElement.dir = lang === "ar" ? "rtl" : "ltr";
window.inbox = STATES[asked.get("state") ?? "usual"]?.() ?? new FakeInbox([]);
window.notification = notification;
const element = document.createElement(asked.has("toasts-alone") ? "tidings-toasts" : "tidings-inbox");
element.client = window.inbox;
for (const name of [
  "mode",
  "theme",
  "toasts",
  "title-badge",
  "badge",
  "sound",
  "tabs",
  "icons",
  "markdown",
  "snooze",
  "image-origins",
]) {
  const value = asked.get(name);
  if (value !== null) element.setAttribute(name, value);
}
const home = document.querySelector("#home");
home?.append(element);
if (asked.has("toasts-beside")) {
  const toasts = document.createElement("tidings-toasts");
  toasts.client = window.inbox;
  document.body.append(toasts);
}
if (asked.has("width") && home instanceof HTMLElement)
  home.style.setProperty("--width", `${asked.get("width")}px`);
