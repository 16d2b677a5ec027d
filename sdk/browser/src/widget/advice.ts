/**
 * Tells the developer of a page, in the console, why the widget shows nothing, with the cure. It is loaded only
 * then. Each text shows once per page, and none of them on the page itself.
 */

import type { TidingsError } from "../client/errors.js";
import type { Inbox, StatusChange, UserToken } from "../client/types.js";
import {
  DISCONNECTED,
  INVALID_TOKEN,
  NO_INBOX_SCOPE,
  ORIGIN_REFUSED,
  REVOKED,
  TOKEN_EXPIRED,
  TOO_MANY_CONNECTIONS,
} from "../protocol.js";

const told = new Set<string>();

/** Writes a text to the console, if it is the first time. */
function warn(text: string): void {
  if (told.has(text)) return;
  told.add(text);
  // biome-ignore lint/suspicious/noConsole: the console is where the developer of a page looks
  console.warn(`[tidings] ${text}`);
}

const ROUTE =
  "It must answer with the JSON of POST /v1/tokens for the user who is logged in, and with 401 if no user is.";

/** An element without a client: which attribute is missing. */
export function missing(host: HTMLElement): void {
  misspelt(host);
  const tag = `<${host.localName}>`;
  for (const [name, example] of [
    ["url", "https://notify.example"],
    ["token-url", "/my-token"],
  ] as const)
    if (!host.getAttribute(name))
      warn(
        `${tag} has no attribute ${name}, so it shows nothing. Write ${name}="${example}", or set the property client.`,
      );
}

/** Names the attribute that is meant by one that the element does not know. */
export function misspelt(host: HTMLElement): void {
  const { observedAttributes = [] } = host.constructor as { observedAttributes?: readonly string[] };
  const known = [...new Set([...observedAttributes, "theme", "placement", "position"])];
  for (const name of host.getAttributeNames()) {
    if (known.includes(name)) continue;
    const meant =
      known.find((each) => plain(each) === plain(name)) ?? known.find((each) => isNear(each, name));
    if (meant) warn(`<${host.localName}> does not know the attribute ${name}. Do you mean ${meant}?`);
  }
}

function plain(name: string): string {
  return name.replace(/[^a-z]/g, "");
}

/** Whether one letter more, less or other, or two exchanged ones, make one name of the other. Short names never are. */
function isNear(one: string, other: string): boolean {
  if (one.length < 5 || Math.abs(one.length - other.length) > 1) return false;
  let start = 0;
  while (start < one.length && one[start] === other[start]) start++;
  let end = 0;
  while (end < one.length - start && one.at(-1 - end) === other.at(-1 - end)) end++;
  return Math.max(one.length, other.length) - start - end <= 2;
}

/** An answer of `token-url` other than JSON: a token as text, the page of a login (null), or a fault. */
export async function read(
  source: string,
  answer: Response | Error,
  Failure: typeof TidingsError,
): Promise<string | UserToken | null> {
  if (answer instanceof Error) return refused(source, answer);
  const { status, redirected, url } = answer;
  const text = (await answer.text()).trim();
  const type = answer.headers.get("content-type")?.split(";", 1)[0] || "no content type";
  if (/^[\w-]+(\.[\w-]+){2}$/.test(text)) return text;
  const json = answer.ok && jsonOf(text);
  if (json !== undefined && json !== false) return usable(source, json, Failure);
  const page = /html/.test(type) || text.startsWith("<");
  if (answer.ok && (redirected || page)) {
    const where = redirected ? `redirects to ${url}` : `answers ${type}`;
    warn(
      `token-url ${source} ${where}: is that the login page? The widget takes it for a logout. Answer 401 instead.`,
    );
    return null;
  }
  const what = answer.ok ? (text ? `${type}, and no token` : "nothing") : status;
  const cure =
    status === 404
      ? "Add the route, or correct the attribute."
      : status === 405
        ? "The widget sends GET."
        : status >= 500
          ? "The log of your application has the reason."
          : ROUTE;
  warn(`token-url ${source} answers ${what}. ${cure}`);
  throw new Failure("no_token", `${source} answers ${what}`, status);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function usable(source: string, answer: unknown, Failure: typeof TidingsError): UserToken | string | null {
  if (typeof answer === "string" || answer === null) return answer;
  if (typeof (answer as UserToken).token === "string") return answer as UserToken;
  const fields = Object.keys(answer as object).join(", ") || "nothing";
  warn(`The JSON of token-url ${source} has no text "token", but ${fields}. ${ROUTE}`);
  throw new Failure("no_token", `${source} has no token`);
}

/** A request that the browser refused: a login on another origin (null), or a fault of the network. */
async function refused(source: string, error: Error): Promise<null> {
  if (error.name === "AbortError") throw error;
  const again = await fetch(source, {
    redirect: "manual",
    credentials: "same-origin",
    cache: "no-store",
  }).catch(() => undefined);
  if (again?.type !== "opaqueredirect") throw error;
  warn(
    `token-url ${source} redirects to another site: is that the login page? The widget takes it for a logout. Answer 401 instead.`,
  );
  return null;
}

/** The element's client cannot connect, or not again. */
export function explain(host: HTMLElement, client: Inbox, change: StatusChange): void {
  const { code, error, status } = change;
  const source = host.getAttribute("token-url") ?? "the token function";
  if (error !== undefined && unanswered(source, error)) return;
  if (code !== undefined) closed(code, source);
  else if (status === "offline" && client.status !== "connected") void unopened(host);
}

/** Whether the error is one of the token source. */
function unanswered(source: string, error: unknown): boolean {
  const { code, status, message } = error as Partial<TidingsError>;
  if (code === "logged_out") {
    if (URL.canParse(source) && new URL(source).origin !== location.origin)
      warn(
        `token-url ${source} answers that no user is logged in. It is on another origin than this page, so it gets no cookies: use a route of this origin.`,
      );
    else if (message === "Another user")
      warn(
        `token-url ${source} answers with a token of another user than before. Reload the page, or call logout(), when the user changes.`,
      );
  } else if (code === "no_token" && !status && message === "No answer")
    warn(`token-url ${source} did not answer within 10 seconds. The widget asks again.`);
  else if (code === "no_token" && message === "No token")
    warn(`token-url ${source} answers without a token. ${ROUTE}`);
  else if (error instanceof TypeError)
    warn(
      `token-url ${source} cannot be requested (${message}): the address is wrong, or the policy of this page (connect-src) or CORS forbids it.`,
    );
  else return false;
  return true;
}

function closed(code: number, source: string): void {
  const texts: Readonly<Record<number, string>> = {
    [ORIGIN_REFUSED]: `The server does not list the origin of this page. Run: tidings-server tenants update TENANT --origin ${location.origin}`,
    [NO_INBOX_SCOPE]: `The token of ${source} lacks the scope "inbox". Make tokens for users with POST /v1/tokens.`,
    [INVALID_TOKEN]: `The server refuses the token of ${source}: it is signed with a key of another tenant or server. Make it with POST /v1/tokens of the server at "url", and not with an API key itself.`,
    [TOKEN_EXPIRED]: `The token of ${source} is expired when the widget gets it. Make a new one for each request, let no cache keep the answer, and compare the clocks of the servers.`,
    [REVOKED]: `The server refuses the token of ${source}: tokens of this user or this key were revoked. Make a new one.`,
    [DISCONNECTED]:
      "Your application disconnected this user. The widget does not connect again before a reload.",
    [TOO_MANY_CONNECTIONS]: "This user has too many connections at the same time. Share one client per page.",
  };
  const text = texts[code];
  if (text) warn(text);
}

/** The socket did not open. */
async function unopened(host: HTMLElement): Promise<void> {
  const url = host.getAttribute("url");
  if (!url || !navigator.onLine) return;
  const [realtime, page] = [host.getAttribute("realtime-url") ?? "", location.protocol];
  if (!/^(https?:\/\/|\/)/.test(url))
    return warn(`url="${url}" is no address. Write it with https:// before it.`);
  if (page === "https:" && (/^http:/.test(url) || /^ws:/.test(realtime)))
    return warn(
      `This page is https, and the browser forbids it ${/^http:/.test(url) ? url : realtime}. Use https and wss.`,
    );
  let blocked: string | undefined;
  const note = ({ blockedURI }: SecurityPolicyViolationEvent) => {
    blocked = blockedURI;
  };
  document.addEventListener("securitypolicyviolation", note);
  const root = url.replace(/\/+$/, "");
  // All pages may read this file, whatever their origin.
  const answer = await fetch(`${root}/tidings.mjs`, { method: "HEAD", cache: "no-store" }).catch(
    () => undefined,
  );
  // The browser reports a violation later. If the policy forbids only the socket, that is at the next attempt.
  await new Promise((passed) => setTimeout(passed, answer?.ok ? 3_000 : 200));
  document.removeEventListener("securitypolicyviolation", note);
  const address =
    realtime || `${root.replace(/^http/, "ws")}/v1/realtime, or the realtime_url of the token's answer,`;
  if (blocked)
    warn(
      `The Content-Security-Policy of this page forbids ${blocked}. Add the API and the realtime address to connect-src.`,
    );
  else if (!answer)
    warn(`No server answers at url="${url}". Check the address, and that tidings-server runs.`);
  else if (!answer.ok)
    warn(
      `url="${url}" answers ${answer.status}: it is no Tidings API. Write the address of the API without a path.`,
    );
  else
    warn(
      `The API answers, but no WebSocket opens at ${address} so far. Check realtime-url, and that a proxy passes upgrades. The widget polls.`,
    );
}
