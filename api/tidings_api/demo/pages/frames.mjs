// The drawer: the frames on the connections of both users, newest first.

const KEPT = 200;
const DRAWER = document.getElementById("drawer");
const LIST = document.getElementById("frames");
const COUNT = document.getElementById("frame-count");
const SHOW = document.getElementById("show-frames");
const HIDE = document.getElementById("hide-frames");

const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
let seen = 0;
/** @type {Element[]} */
let waiting = [];

/**
 * Shows a frame. All frames since the last repaint are shown together.
 * @param {string} user the user's name
 * @param {"sent" | "received"} direction as the user's browser sees it
 * @param {string} text
 */
export function showFrame(user, direction, text) {
  seen += 1;
  if (waiting.length === 0) requestAnimationFrame(paint);
  waiting.unshift(row(user, direction, text));
}

function paint() {
  LIST.prepend(...waiting.slice(0, KEPT));
  waiting = [];
  while (LIST.childElementCount > KEPT) LIST.lastElementChild.remove();
  COUNT.textContent = String(seen);
}

/** @returns {Element} a line that opens to the whole frame */
function row(user, direction, text) {
  const { type, ...fields } = JSON.parse(text);
  // A visible token, also in a screenshot, would let other people connect.
  if (fields.token) fields.token = `${fields.token.slice(0, 8)}…`;
  const line = made("li", direction);
  const details = made("details");
  const summary = made("summary");
  summary.append(
    made("span", "", direction === "sent" ? `${user} →` : `→ ${user}`),
    made("span", "type", type),
    made("time", "", time.format()),
  );
  details.append(summary);
  // Most frames stay closed.
  const open = () => {
    const frame = made("pre", "", JSON.stringify(fields, null, 2));
    // Long lines scroll, also by key.
    frame.tabIndex = 0;
    details.append(frame);
  };
  details.addEventListener("toggle", open, { once: true });
  line.append(details);
  return line;
}

function made(name, style = "", text = "") {
  const element = document.createElement(name);
  if (style) element.className = style;
  element.textContent = text;
  return element;
}

function show(on) {
  DRAWER.hidden = !on;
  SHOW.ariaExpanded = String(on);
  (on ? HIDE : SHOW).focus();
}

SHOW.addEventListener("click", () => show(DRAWER.hidden));
HIDE.addEventListener("click", () => show(false));
DRAWER.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") show(false);
});
document.getElementById("clear").addEventListener("click", () => {
  seen = 0;
  waiting = [];
  LIST.replaceChildren();
  COUNT.textContent = "0";
});
