/** The texts of the panel in the languages other than English. Pages in English do not load them. */

export { texts } from "./texts/others.js";
