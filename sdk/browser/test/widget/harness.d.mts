import type { Browser } from "playwright-core";

export function start(): Promise<{ url: string; browser: Browser; stop(): Promise<void> }>;
export function launch(): Promise<Browser>;
