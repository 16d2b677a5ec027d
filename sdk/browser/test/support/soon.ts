import { vi } from "vitest";

/** Waits until `holds` raises nothing. vitest's own second is too short for a busy machine. */
export const soon = (holds: () => void): Promise<void> => vi.waitFor(holds, 10_000);
