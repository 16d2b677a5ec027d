/** The clock of frames. */

/** The time of the current frame. A document without a timeline, as in tests, never has the same time twice. */
export function frameTime(): unknown {
  return document.timeline?.currentTime ?? Number.NaN;
}
