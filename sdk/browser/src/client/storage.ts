/** Where resume points are kept between visits. */

import type { ResumePoint, ResumeStorage } from "./types.js";

const DATABASE = "tidings";
const STORE = "resume";

/** IndexedDB, or memory where there is none. Private windows may refuse it: that is passed over by the caller. */
export function defaultStorage(): ResumeStorage {
  return typeof indexedDB === "undefined" ? memoryStorage() : new IndexedStorage();
}

function memoryStorage(): ResumeStorage {
  const points = new Map<string, ResumePoint>();
  return {
    get: async (key) => points.get(key),
    set: async (key, point) => void points.set(key, point),
    delete: async (key) => void points.delete(key),
  };
}

class IndexedStorage implements ResumeStorage {
  #opening: Promise<IDBDatabase> | undefined;

  get(key: string): Promise<ResumePoint | undefined> {
    return this.#do("readonly", (store) => store.get(key));
  }

  async set(key: string, point: ResumePoint): Promise<void> {
    await this.#do("readwrite", (store) => store.put(point, key));
  }

  async delete(key: string): Promise<void> {
    await this.#do("readwrite", (store) => store.delete(key));
  }

  async #do<Result>(
    mode: IDBTransactionMode,
    act: (store: IDBObjectStore) => IDBRequest<Result>,
  ): Promise<Result> {
    this.#opening ??= this.#open();
    const transaction = (await this.#opening).transaction(STORE, mode);
    const result = done(act(transaction.objectStore(STORE)));
    // A page that is closing has no turn left in which it would commit by itself.
    transaction.commit();
    return result;
  }

  async #open(): Promise<IDBDatabase> {
    try {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE);
      const database = await done(request);
      // Another tab, or the browser, wants it gone: open it anew next time.
      database.onversionchange = database.onclose = () => {
        database.close();
        this.#opening = undefined;
      };
      return database;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }
}

function done<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
