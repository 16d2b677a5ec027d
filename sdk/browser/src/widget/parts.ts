/**
 * What is loaded when somebody opens the bell, or the first toast is due: a page that only shows the badge
 * doesn't pay for it.
 */

export { Feed } from "./feed.js";
export { Panel } from "./panel.js";
export { Stack } from "./stack.js";
export { texts } from "./texts.js";
