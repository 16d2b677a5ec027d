import type { TestProject } from "vitest/node";
import { type Ready, Server } from "./server.js";

declare module "vitest" {
  interface ProvidedContext {
    ready: Ready;
  }
}

/** One server for all tests that do not stop it. Each test has its own users. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = new Server();
  project.provide("ready", await server.start());
  return () => server.remove();
}
