// The page around the two users: sends the content of the form, and shows the result.

import { notification } from "./composer.mjs";
import { clearFrames, showFrame } from "./frames.mjs";
import { showCommand } from "./snippets.mjs";

const NAMES = { ana: "Ana", bob: "Bob" };
const BURST = 25;
const RENEW_MS = 50 * 60_000;

const API = document.body.dataset.api;
const FORM = document.getElementById("composer");
const OUTCOME = document.getElementById("outcome");

/** The notification that the page waits for: the time of its send, and the users who have it. */
let latest = { id: "", sentAt: 0, answer: "", arrivals: [] };
let token = "";

async function call(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  const document = await answer.json();
  if (!answer.ok) throw new Error(document.detail);
  return document;
}

async function renewToken() {
  token = "";
  ({ token } = await call("/demo/tokens", { role: "sender" }));
  showCommand(API, token, notification());
}

async function send(burst) {
  const one = notification();
  const sentAt = performance.now();
  try {
    if (burst) {
      const all = Array.from({ length: BURST }, (_, n) => ({ ...one, title: `${one.title} (${n + 1})` }));
      const { results } = await call("/v1/notifications/batch", { notifications: all });
      latest = { id: results.at(-1).id, sentAt, answer: `${BURST} accepted`, arrivals: [] };
    } else {
      const { id } = await call("/v1/notifications", one);
      latest = { id, sentAt, answer: "Accepted", arrivals: [] };
    }
    latest.answer += ` in ${Math.round(performance.now() - sentAt)} ms`;
    showArrivals();
  } catch (error) {
    report(error);
  }
}

/** Shows the result of the last send. */
function report(error) {
  OUTCOME.classList.toggle("failed", Boolean(error));
  OUTCOME.textContent = error ? error.message : [latest.answer, ...latest.arrivals].join(" · ");
}

/** A notification may arrive before the answer to the request. */
const early = new Map();

function arrived(user, id) {
  const at = performance.now();
  early.set(id, [...(early.get(id) ?? []), [user, at]]);
  if (early.size > 2 * BURST) early.delete(early.keys().next().value);
  if (id === latest.id) showArrivals();
}

function showArrivals() {
  latest.arrivals = (early.get(latest.id) ?? []).map(
    ([user, at]) => `${NAMES[user]} had it after ${Math.round(at - latest.sentAt)} ms`,
  );
  report();
}

addEventListener("message", ({ origin, data }) => {
  if (origin !== location.origin || !(data.user in NAMES)) return;
  const { user, sent, received, status, arrived: id } = data;
  if (sent) showFrame(user, "sent", sent);
  if (received) showFrame(user, "received", received);
  if (id) arrived(user, id);
  if (status) {
    const shown = document.querySelector(`.state[data-user="${user}"]`);
    shown.textContent = status;
    shown.className = `state ${status}`;
  }
});

FORM.addEventListener("input", () => showCommand(API, token, notification()));
FORM.addEventListener("submit", (event) => {
  event.preventDefault();
  send(false);
});
document.getElementById("burst").addEventListener("click", () => {
  if (FORM.reportValidity()) send(true);
});
document.getElementById("clear").addEventListener("click", clearFrames);

try {
  await renewToken();
  await call("/v1/groups/team/members", { add: Object.keys(NAMES) });
  setInterval(renewToken, RENEW_MS);
} catch (error) {
  report(error);
}
