/** What the client raises. */

/** A request or a mark that failed. `code` is one of the server's stable codes, or one of the client's own. */
export class TidingsError extends Error {
  override readonly name: string = "TidingsError";
  /**
   * `no_answer`, `unanswered`: nothing came back, by REST or to a mark; `no_token`: nor from the token
   * source; `logged_out`: that says that nobody is logged in; else the server's.
   */
  readonly code: string;
  /** The HTTP status; 0 where there was none. */
  readonly status: number;

  constructor(code: string, detail: string, status = 0) {
    super(detail);
    this.code = code;
    this.status = status;
  }
}

/** Whether the application says that nobody is logged in: no use in trying again. */
export function isLoggedOut(error: unknown): boolean {
  return error instanceof TidingsError && error.code === "logged_out";
}
