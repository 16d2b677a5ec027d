// The drawer: the frames on the connections of both users, newest first.

const KEPT = 300;
const LIST = document.getElementById("frames");
const COUNT = document.getElementById("frame-count");

const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
let seen = 0;
/** @type {Element[]} */
let waiting = [];

/**
 * Shows a frame. All frames since the last repaint are shown together.
 * @param {string} user
 * @param {"sent" | "received"} direction as the user's browser sees it
 * @param {string} text
 */
export function showFrame(user, direction, text) {
  seen += 1;
  if (waiting.length === 0) requestAnimationFrame(paint);
  waiting.unshift(row(user, direction, text));
}

export function clearFrames() {
  seen = 0;
  waiting = [];
  LIST.replaceChildren();
  COUNT.textContent = "0";
}

function paint() {
  LIST.prepend(...waiting.slice(0, KEPT));
  waiting = [];
  while (LIST.childElementCount > KEPT) LIST.lastElementChild.remove();
  COUNT.textContent = String(seen);
}

/** @returns {Element} */
function row(user, direction, text) {
  const line = document.createElement("tr");
  line.className = direction;
  const { type, ...fields } = JSON.parse(text);
  // A visible token, also in a screenshot, would let other people connect.
  if (fields.token) fields.token = `${fields.token.slice(0, 8)}…`;
  const arrow = direction === "sent" ? "→ server" : "← server";
  for (const content of [time.format(), user, arrow, type, JSON.stringify(fields)]) {
    line.insertCell().textContent = content;
  }
  return line;
}
