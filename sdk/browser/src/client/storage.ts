/** Where resume points are kept between visits. */

import type { ResumeStorage } from "./types.js";

const DATABASE = "tidings";
const STORE = "resume";

/** IndexedDB, where there is one. Private windows may refuse it: that is passed over by the caller. */
export function defaultStorage(): ResumeStorage | undefined {
  let database: IDBDatabase | undefined;
  if (typeof indexedDB === "undefined") return undefined;

  async function open(): Promise<IDBDatabase> {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    const opened = await done(request);
    // Another tab, or the browser, wants it gone: open it anew next time.
    opened.onversionchange = opened.onclose = () => {
      opened.close();
      database = undefined;
    };
    return opened;
  }

  async function act<Result>(
    mode: IDBTransactionMode,
    request: (store: IDBObjectStore) => IDBRequest<Result>,
  ): Promise<Result> {
    database ??= await open();
    const transaction = database.transaction(STORE, mode);
    const result = done(request(transaction.objectStore(STORE)));
    // A page that is closing has no turn left in which it would commit by itself.
    transaction.commit();
    return result;
  }

  return {
    get: (key) => act("readonly", (store) => store.get(key)),
    set: async (key, point) => void (await act("readwrite", (store) => store.put(point, key))),
    delete: (key) => act("readwrite", (store) => store.delete(key)),
  };
}

function done<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
