/** Client and widget in one script, as the global `tidings`. Loading it defines the widget's elements. */

export * from "./client/index.js";
export * from "./widget/index.js";
