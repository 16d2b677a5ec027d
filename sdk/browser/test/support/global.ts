import type { TestProject } from "vitest/node";
import { type Ready, Server } from "./server.js";

declare module "vitest" {
  interface ProvidedContext {
    ready: Ready;
  }
}

/** One server for all tests that leave it running; each has users of its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = new Server();
  project.provide("ready", await server.start());
  return () => server.remove();
}
