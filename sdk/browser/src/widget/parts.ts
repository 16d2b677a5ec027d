/** The modules that load when a reader opens the bell. A page that shows only the badge does not load them. */

export { anchor } from "./anchor.js";
export { Feed } from "./feed.js";
export { Panel } from "./panel.js";
export { texts } from "./texts/panel.js";
