/** The clients that elements make from their attributes. */

import { Tidings, TidingsError } from "../client/index.js";
import type { Inbox } from "../client/types.js";
import { loadAdvice } from "./load.js";

/** By the values of the attributes, with the number of elements that use each. */
const clients = new Map<string, { client: Tidings; users: number }>();

/**
 * Returns the client for these values, and a function that releases it. Elements with equal values share one client,
 * and with it one connection. The release by the last of them closes it.
 */
export function take(url: string, source: string, realtimeUrl: string): [client: Inbox, release: () => void] {
  const key = JSON.stringify([url, source, realtimeUrl]);
  const entry = clients.get(key) ?? { client: made(url, source, realtimeUrl), users: 0 };
  clients.set(key, entry);
  entry.users += 1;
  const release = () => {
    entry.users -= 1;
    // A moved element is connected again within the same task.
    setTimeout(() => {
      if (entry.users || clients.get(key) !== entry) return;
      clients.delete(key);
      void entry.client.close();
    });
  };
  return [entry.client, release];
}

function made(url: string, source: string, realtimeUrl: string): Tidings {
  const token = async (signal: AbortSignal) => {
    const answer: Response | Error = await fetch(source, {
      headers: { accept: "application/json" },
      credentials: "same-origin",
      // With the cache, a hanging request would block all further requests of this address.
      cache: "no-store",
      signal,
    }).catch((error) => error);
    if (answer instanceof Response) {
      const { ok, status, redirected, headers } = answer;
      if (status === 401 || status === 403) return answer;
      if (ok && !redirected && /json/.test(headers.get("content-type") ?? "")) return answer;
    }
    return (await loadAdvice()).read(source, answer, TidingsError);
  };
  return new Tidings({ url, token, ...(realtimeUrl && { realtimeUrl }) });
}
