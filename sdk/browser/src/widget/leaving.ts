/** Clears the display when the user logs out. */

import type { StatusChange } from "../client/types.js";

/** Whether a change of status means that the user logged out, on this tab or another. */
export function hasLeft({ status, reason, error }: StatusChange): boolean {
  return status === "stopped" && (reason === "logout" || error !== undefined);
}
