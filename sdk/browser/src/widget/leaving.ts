/** Whose inbox a page shows: nothing of it stays to be seen when that user has left. */

import type { StatusChange } from "../client/types.js";

/** Whether a change of status says that nobody is logged in any more, on this tab or another. */
export function hasLeft({ status, reason, error }: StatusChange): boolean {
  return status === "stopped" && (reason === "logout" || error !== undefined);
}
