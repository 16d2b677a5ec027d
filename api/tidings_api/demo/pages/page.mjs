// The page around the two users: sends the content of the form, and shows the result.

import { FIRST, notification } from "./composer.mjs";
import { onVisible } from "./drawer.mjs";
import { followEvents, startEvents } from "./events.mjs";
import { showFrame } from "./frames.mjs";
import { showCommands } from "./snippets.mjs";
import { listen, NAMES, openWindows } from "./windows.mjs";

const BURST = 25;
const RENEW_MS = 50 * 60_000;

const API = document.body.dataset.api;
const FORM = document.getElementById("composer");
const OUTCOME = document.getElementById("outcome");

/** The notification that the page waits for: the time of its send, and of its answer. */
let latest = { id: "", sentAt: 0, answeredAt: 0 };
let token = "";

async function call(path, body, options) {
  const answer = await fetch(path, {
    method: body ? "POST" : "GET",
    headers: {
      ...(body && { "content-type": "application/json" }),
      ...(token && { authorization: `Bearer ${token}` }),
    },
    ...(body && { body: JSON.stringify(body) }),
    ...options,
  });
  const document = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(document.detail), { code: document.code });
  return document;
}

const get = (path, options) => call(path, undefined, options);

async function renewToken() {
  token = "";
  ({ token } = await call("/demo/tokens", { role: "sender" }));
  showCommands(API, token, notification());
}

/** Fills both inboxes if Ana has none yet, so that the first look shows notifications. */
async function fillInboxes() {
  const { items } = await call("/v1/users/ana/notifications?limit=1");
  if (items.length === 0) await call("/v1/notifications/batch", { notifications: FIRST });
}

async function send(burst) {
  const one = notification();
  const sentAt = performance.now();
  try {
    if (burst) {
      const all = Array.from({ length: BURST }, (_, n) => ({ ...one, title: `${one.title} (${n + 1})` }));
      const { results } = await call("/v1/notifications/batch", { notifications: all });
      latest = { id: results.at(-1).id, sentAt, answeredAt: performance.now() };
    } else {
      const { id } = await call("/v1/notifications", one);
      latest = { id, sentAt, answeredAt: performance.now() };
    }
    showArrivals();
  } catch (error) {
    report(error);
  }
}

function report(error) {
  OUTCOME.classList.add("failed");
  OUTCOME.textContent = error.message;
}

/** A notification may arrive before the answer to the request. */
const early = new Map();

function arrived(user, id) {
  early.set(id, [...(early.get(id) ?? []), [user, performance.now()]]);
  if (early.size > 2 * BURST) early.delete(early.keys().next().value);
  if (id === latest.id) showArrivals();
}

/** Shows the times since the press, in their order. */
function showArrivals() {
  const { id, sentAt, answeredAt } = latest;
  const times = [
    [answeredAt, "answered in", "span"],
    ...(early.get(id) ?? []).map(([user, at]) => [at, `${NAMES[user]} saw it after`, "b"]),
  ].sort(([one], [other]) => one - other);
  OUTCOME.classList.remove("failed");
  OUTCOME.replaceChildren();
  for (const [index, [at, words, element]] of times.entries()) {
    const part = document.createElement(element);
    part.textContent = `${words} ${Math.max(1, Math.round(at - sentAt))} ms`;
    OUTCOME.append(index ? " · " : "", part);
  }
}

listen(({ user, sent, received, arrived: id }) => {
  if (sent) showFrame(NAMES[user], "sent", sent);
  if (received) showFrame(NAMES[user], "received", received);
  if (id) arrived(user, id);
});

FORM.addEventListener("input", () => showCommands(API, token, notification()));
FORM.addEventListener("submit", (event) => {
  event.preventDefault();
  send(false);
});
document.getElementById("burst").addEventListener("click", () => {
  if (FORM.reportValidity()) send(true);
});

try {
  await renewToken();
  await startEvents(get);
  await call("/v1/groups/team/members", { add: Object.keys(NAMES) });
  await fillInboxes();
  setInterval(renewToken, RENEW_MS);
  onVisible((visible) => followEvents(get, visible));
} catch (error) {
  report(error);
} finally {
  openWindows();
}
