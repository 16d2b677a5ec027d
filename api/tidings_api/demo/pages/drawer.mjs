// The drawer: opens and closes, and has a tab for frames and one for events.

import { clearEvents } from "./events.mjs";
import { clearFrames } from "./frames.mjs";
import { connectTabs } from "./tabs.mjs";

const DRAWER = document.getElementById("drawer");
const SHOW = document.getElementById("show-frames");
const HIDE = document.getElementById("hide-frames");

connectTabs(DRAWER);

function show(on) {
  DRAWER.hidden = !on;
  SHOW.ariaExpanded = String(on);
  (on ? HIDE : SHOW).focus();
  DRAWER.dispatchEvent(new Event("change-of-drawer"));
}

SHOW.addEventListener("click", () => show(DRAWER.hidden));
HIDE.addEventListener("click", () => show(false));
DRAWER.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") show(false);
});
document.getElementById("clear").addEventListener("click", () => {
  if (document.getElementById("frames-panel").hidden) clearEvents();
  else clearFrames();
});

/**
 * Calls `on` with whether the drawer is visible: now, and after each change.
 * @param {(visible: boolean) => void} on
 */
export function onVisible(on) {
  const report = () => on(!DRAWER.hidden && !document.hidden);
  DRAWER.addEventListener("change-of-drawer", report);
  document.addEventListener("visibilitychange", report);
  report();
}
