// The tab of the drawer with the frames on the connections of both users.

import { made, Rows, row } from "./rows.mjs";

const ROWS = new Rows(document.getElementById("frames"), document.getElementById("frame-count"));

/**
 * Shows a frame.
 * @param {string} user the user's name
 * @param {"sent" | "received"} direction as the user's browser sees it
 * @param {string} text
 */
export function showFrame(user, direction, text) {
  const { type, ...fields } = JSON.parse(text);
  // A visible token, also in a screenshot, would let other people connect.
  if (fields.token) fields.token = `${fields.token.slice(0, 8)}…`;
  const between = made("span", "", direction === "sent" ? `${user} →` : `→ ${user}`);
  ROWS.add(row(direction, [between, made("span", "type", type)], fields));
}

export function clearFrames() {
  ROWS.clear();
}
