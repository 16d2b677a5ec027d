/** The client's errors. */

/** A request or a mark that failed. `code` is one of the server's stable codes, or one of the client's own. */
export class TidingsError extends Error {
  override readonly name: string = "TidingsError";
  /**
   * `no_answer`: a REST request has no answer; `unanswered`: a mark has none; `no_token`: the token source has no
   * usable answer; `logged_out`: it answered that no user is logged in. All other codes are the server's.
   */
  declare readonly code: string;
  /** The HTTP status; 0 without an HTTP answer. */
  declare readonly status: number;

  constructor(code: string, detail: string, status = 0) {
    super(detail);
    this.code = code;
    this.status = status;
  }
}

/** Whether the application answered that no user is logged in. A retry does not help. */
export function isLoggedOut(error: unknown): boolean {
  return (error as TidingsError | undefined)?.code === "logged_out";
}
