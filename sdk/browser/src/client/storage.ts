/** Stores resume points between visits. */

import type { ResumeStorage } from "./types.js";

const DATABASE = "tidings";
const STORE = "resume";

/** IndexedDB; undefined without it. A private window may refuse each access: the caller ignores that error. */
export function defaultStorage(): ResumeStorage | undefined {
  let database: IDBDatabase | undefined;
  if (typeof indexedDB === "undefined") return undefined;

  async function open(): Promise<IDBDatabase> {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    const opened = await done(request);
    // Another tab or the browser deletes the database: the next access opens it again.
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
    // A closing page has no further task in which the browser would commit.
    transaction.commit();
    return result;
  }

  return {
    get: (key) => act("readonly", (store) => store.get(key)),
    set: (key, point) => act("readwrite", (store) => store.put(point, key) as IDBRequest),
    delete: (key) => act("readwrite", (store) => store.delete(key)),
  };
}

function done<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
