import { describe, expect, test } from "vitest";
import { Tokens } from "../../src/client/tokens.js";
import { ManualClock } from "../support/clock.js";

function token(clock: ManualClock, seconds: number, sub = "ana"): string {
  const claims = { iss: "demo", sub, exp: Math.floor(clock.now() / 1000) + seconds };
  return `head.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.signature`;
}

describe("a token", () => {
  test("is kept until a minute before its expiry", async () => {
    const clock = new ManualClock();
    let asked = 0;
    const tokens = new Tokens(async () => token(clock, 3_600 + asked++), clock);
    await tokens.get();
    await clock.pass(3_539_000);
    await tokens.get();
    expect(asked).toBe(1);
    await clock.pass(2_000);
    await tokens.get();
    expect(asked).toBe(2);
  });

  test("is requested once for all simultaneous callers", async () => {
    const clock = new ManualClock();
    let asked = 0;
    const tokens = new Tokens(async () => token(clock, 3_600 + asked++), clock);
    await Promise.all([tokens.get(), tokens.get(true), tokens.get()]);
    expect(asked).toBe(1);
  });

  test.each([
    ["a text", (text: string) => text],
    ["an answer of the API", (text: string) => ({ token: text, expires_at: "", realtime_url: "ws://g" })],
    ["a response with it", (text: string) => Response.json({ token: text, realtime_url: "ws://g" })],
    ["a response with a text", (text: string) => Response.json(text)],
  ])("may be %s", async (_, make) => {
    const clock = new ManualClock();
    const text = token(clock, 3_600);
    const access = await new Tokens(async () => make(text), clock).get();
    expect(access).toMatchObject({ token: text, identity: "demo/ana" });
  });

  test.each([
    ["nothing", null],
    ["a 401", new Response(null, { status: 401 })],
    ["a 403", new Response(null, { status: 403 })],
  ])("is refused with logged_out if the application answers %s", async (_, answer) => {
    const tokens = new Tokens(async () => answer, new ManualClock());
    await expect(tokens.get()).rejects.toMatchObject({ code: "logged_out" });
  });

  test("of another user is refused until forget() was called", async () => {
    const clock = new ManualClock();
    const users = ["ana", "bob", "bob"];
    const tokens = new Tokens(async () => token(clock, 3_600, users.shift()), clock);
    await tokens.get();
    await expect(tokens.get(true)).rejects.toMatchObject({ code: "logged_out" });
    tokens.forget();
    expect((await tokens.get()).identity).toBe("demo/bob");
  });

  test("that is expired by the page's clock is used, because only the server's clock decides", async () => {
    const clock = new ManualClock();
    let asked = 0;
    const tokens = new Tokens(async () => token(clock, -1_000 - asked++), clock);
    await tokens.get();
    await tokens.get();
    expect(asked).toBe(1);
  });

  test("request without an answer times out, and the next call requests again", async () => {
    const clock = new ManualClock();
    const signals: AbortSignal[] = [];
    const tokens = new Tokens((signal) => {
      signals.push(signal);
      return signals.length > 1 ? Promise.resolve(token(clock, 3_600)) : new Promise(() => undefined);
    }, clock);
    const first = expect(tokens.get()).rejects.toMatchObject({ code: "no_token" });
    await clock.pass(10_000);
    await first;
    expect(signals[0]?.aborted).toBe(true);
    expect(await tokens.get()).toMatchObject({ identity: "demo/ana" });
  });
});
