/**
 * What is loaded when somebody opens the bell: a page that only shows the badge doesn't pay for it.
 */

export { Feed } from "./feed.js";
export { Panel } from "./panel.js";
export { texts } from "./texts.js";
