import { once } from "node:events";
import { createServer } from "node:net";

/**
 * The kernel gives outgoing connections ports from 32768 on, and Python's tests use those from 12000 on. So a port here
 * stays free until its server starts. Each process of vitest has its share.
 */
const [FIRST, SHARE] = [9_000, 600];
const given = new Set<number>();

/** Ports of the loopback interface without a server, never given before. */
export async function freePorts(count: number): Promise<number[]> {
  const first = FIRST + (Number(process.env["VITEST_POOL_ID"] ?? 0) % 5) * SHARE;
  const ports: number[] = [];
  while (ports.length < count) {
    const port = first + Math.floor(Math.random() * SHARE);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    ports.push(port);
  }
  return ports;
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, "127.0.0.1");
  try {
    await once(probe, "listening");
  } catch {
    return false;
  }
  probe.close();
  await once(probe, "close");
  return true;
}
