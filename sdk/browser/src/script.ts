/** Everything in one script, as the global `tidings`; loading it defines the widget's elements. */

export * from "./client/index.js";
export * from "./widget/index.js";
