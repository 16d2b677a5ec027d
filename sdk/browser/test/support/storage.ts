import type { ResumePoint, ResumeStorage } from "../../src/client/index.js";

/** The storage of a browser, for several clients one after the other. */
export class Kept implements ResumeStorage {
  readonly points = new Map<string, ResumePoint>();

  async get(key: string): Promise<ResumePoint | undefined> {
    return this.points.get(key);
  }

  async set(key: string, point: ResumePoint): Promise<void> {
    this.points.set(key, point);
  }

  async delete(key: string): Promise<void> {
    this.points.delete(key);
  }
}
