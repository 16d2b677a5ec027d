// The tab of the drawer with the events of the tenant, by the long poll that an application makes.

import { made, Rows, row } from "./rows.mjs";
import { NAMES } from "./windows.mjs";

/** All but connections, and messages: a reader of those answers a message without an upstream. */
const TYPES = [
  ...["stored", "delivered", "seen", "read", "archived", "recalled", "expired", "action"].map(
    (name) => `notification.${name}`,
  ),
  "user.online",
  "user.offline",
];
const WAIT = 20;
const AGAIN_MS = 2_000;

const ROWS = new Rows(document.getElementById("events"), document.getElementById("event-count"));

let after = "now";
/** Ends the request that waits; null while the drawer is not visible. */
let reading = null;

/**
 * One request for events.
 * @param {(path: string, options?: RequestInit) => Promise<any>} call
 * @param {number} wait
 * @param {AbortSignal} [signal]
 */
async function read(call, wait, signal) {
  const query = new URLSearchParams({ after, types: TYPES, wait });
  const { events, next } = await call(`/v1/events?${query}`, { signal });
  after = next;
  for (const event of events) ROWS.add(eventRow(event));
}

function eventRow({ type, timestamp, data }) {
  const parts = [made("span", "type", type), made("span", "", about(data))];
  const line = row("", parts, data, new Date(timestamp));
  line.dataset.at = timestamp;
  line.dataset.of = data.notification ?? "";
  return line;
}

/** The user or the target. A send to several users or groups has only their number. */
function about({ user, group, topic, all, recipients }) {
  if (all) return "everyone";
  return NAMES[user] ?? user ?? group ?? topic ?? (recipients ? `${recipients} users` : "");
}

/** The first request turns the types on: later events are written, and the drawer shows them when it opens. */
export async function startEvents(call) {
  await read(call, 0);
}

/**
 * Reads events while the drawer is visible, and no longer: a request that waits holds one of the six
 * connections that all tabs of a browser share.
 */
export async function followEvents(call, visible) {
  if (!visible) {
    reading?.abort();
    reading = null;
    return;
  }
  if (reading) return;
  const mine = new AbortController();
  reading = mine;
  while (reading === mine) {
    try {
      await read(call, WAIT, mine.signal);
    } catch (error) {
      if (mine.signal.aborted) return;
      // Positions of another store mean nothing.
      if (error.code === "invalid_cursor") after = "now";
      await new Promise((done) => setTimeout(done, AGAIN_MS));
    }
  }
}

export function clearEvents() {
  ROWS.clear();
}
