// @vitest-environment jsdom

/** Hostile data of the server, a storage or another tab costs time linear in its length, and breaks nothing. */

import { afterEach, describe, expect, test, vi } from "vitest";
import { Ledger } from "../../src/client/ledger.js";
import { Session } from "../../src/client/session.js";
import { Tidings } from "../../src/client/tidings.js";
import { Tokens } from "../../src/client/tokens.js";
import type { ResumePoint } from "../../src/client/types.js";
import { titleFor } from "../../src/widget/alerts.js";
import { soon } from "../support/soon.js";
import "../../src/widget/index.js";
import { isRightToLeft, textOf } from "../../src/widget/messages.js";
import { safeImage, safeLink, shown } from "../../src/widget/text.js";
import { ManualClock } from "../support/clock.js";
import { FakeInbox, notification } from "../widget/fake.js";

/** The size of hostile data: enough to show a cost that is not linear. */
const LENGTH = 1_000_000;
/** Milliseconds of CPU time. Linear costs are far below, quadratic costs far above. */
const BOUND = 1_500;

const many = (text: string) => text.repeat(LENGTH / text.length);
const named = (value: unknown) =>
  Object.fromEntries(Array.from({ length: LENGTH / 20 }, (_, n) => [`group:${n}`, value]));
const COUNTS = { unseen: 1, unread: 1, version: 1 };

function received(frame: object | string): Session {
  const session = new Session();
  const welcome = {
    type: "welcome",
    user: "ana",
    epoch: "e",
    positions: {},
    counts: COUNTS,
    state_version: 0,
  };
  session.receive(JSON.stringify(welcome));
  try {
    session.receive(typeof frame === "string" ? frame : JSON.stringify(frame));
  } catch {
    // The connection ends.
  }
  session.connect("token", undefined, "test");
  session.acks();
  return session;
}

function applied(change: object): void {
  const ledger = new Ledger();
  for (let n = 0; n < 10_000; n++) ledger.arrive(notification(n, {}));
  ledger.apply({ type: "state", counts: COUNTS, state_version: 1, ...change });
}

const asked = (token: string) => new Tokens(async () => token, new ManualClock()).get();
const claims = (text: string) => `head.${Buffer.from(text).toString("base64url")}.signature`;
const at = new Date().toISOString();

describe("costs time linear in its length:", () => {
  test.each<[string, () => unknown]>([
    ["a frame of nested lists", () => received(many("["))],
    ["a frame of nested lists that end", () => received(many("[").slice(2) + many("]").slice(2))],
    ["a frame of long numbers", () => received(`[${many("1e308,")}1]`)],
    ["a frame of one number", () => received(many("9"))],
    ["a frame of one text", () => received(`"${many("\\u202e")}"`)],
    ["a frame of repeated keys", () => received(`{${many('"a":1,')}"a":1}`)],
    [
      "a notification of one log's long name",
      () => received({ type: "notification", log: many("x"), position: 1 }),
    ],
    ["the positions of many logs", () => received({ type: "caught_up", positions: named(1) })],
    [
      "changes of many",
      () => applied({ changes: Object.keys(named(1)).map((id) => ({ id, state: "read", at })) }),
    ],
    ["a change up to positions in many logs", () => applied({ up_to: named(1), state: "read", at })],
    [
      "a category of dots",
      () => applied({ up_to: { user: 10_000 }, state: "read", at, category: many(".") }),
    ],
    ["a token of dots", () => asked(many("."))],
    ["a token of one long part", () => asked(many("x"))],
    ["a token with nested claims", () => asked(claims(many("[")))],
    ["a text of what forces a direction", () => shown(many("\u202e"))],
    ["a text of halves of characters", () => shown(many("\ud83d"))],
    ["a link without an end", () => safeLink(`https://${many("/")}`)],
    ["a link with a blank at its end", () => safeLink(`https://x${many("x")} `)],
    ["an address to write to", () => safeImage(`mailto:${many("@")}`)],
    ["a path of slashes", () => safeLink(many("/\\"))],
    ["a language of hyphens", () => textOf(many("-"), "title")],
    ["a language of capitals", () => isRightToLeft(many("A"))],
    ["an API's address of slashes", () => new Tidings({ url: `${many("/")}x`, token: async () => null })],
  ])("%s", async (_, run) => {
    const before = process.cpuUsage();

    await Promise.resolve()
      .then(run)
      .catch(() => undefined);

    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(BOUND);
  });

  test("the title of a page", () => {
    document.title = `(${many("1")}`;
    const before = process.cpuUsage();
    titleFor(new FakeInbox([notification(1, {})]))();
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(BOUND);
    document.title = "";
  });
});

describe("a widget", () => {
  afterEach(() => document.body.replaceChildren());

  test.each([
    ["invalid times", { created_at: "yesterday", expires_at: "never" }],
    ["very long times", { created_at: many("1"), expires_at: many("2026-") }],
    [
      "very long texts, links and names",
      { title: many("x"), body: many("\n"), link: many("h"), icon: many("/") },
    ],
    ["a very long category", { category: many("._:-"), title: "" }],
    [
      "an action with very long fields",
      { actions: [{ id: many("x"), label: many("\u202e"), link: many("/") }] },
    ],
  ])("shows an item with %s and the next item within a moment", async (_, fields) => {
    const inbox = new FakeInbox([notification(1, fields as object), notification(2, { title: "The next" })]);
    const element = document.createElement("tidings-inbox");
    element.setAttribute("mode", "page");
    element.client = inbox;
    const before = process.cpuUsage();
    document.body.append(element);

    await vi.waitFor(() => expect(element.root.textContent).toContain("The next"), { timeout: 5_000 });
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(2 * BOUND);
    expect(element.root.textContent?.length).toBeLessThan(5_000);
  });

  test("accepts very long attributes", async () => {
    const element = document.createElement("tidings-inbox");
    for (const name of ["lang", "dir", "mode", "badge", "theme", "token-url"])
      element.setAttribute(name, many("-"));
    element.setAttribute("url", `http://127.0.0.1:9${many("/")}x`);
    const before = process.cpuUsage();
    document.body.append(element);

    await soon(() => expect(element.client?.status).toBe("offline"));
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(BOUND);
  });
});

describe("a storage", () => {
  const point = { epoch: "e", positions: { user: 3 }, state_version: 1 };
  const restored = (kept: unknown) => {
    const session = new Session();
    session.restore(kept as ResumePoint);
    return session.point();
  };

  test.each([
    ["nothing", null],
    ["a text", "e"],
    ["another object", {}],
    ["an epoch that is not a text", { ...point, epoch: 5 }],
    ["no positions", { ...point, positions: undefined }],
    ["positions that are a text", { ...point, positions: "abc" }],
    ["a position below 0", { ...point, positions: { user: -1 } }],
    ["a position that is not a whole number", { ...point, positions: { user: 1.5 } }],
    ["a position above the safe integers", { ...point, positions: { user: 1e300 } }],
    ["a version that is a text", { ...point, state_version: "1" }],
  ])("with %s instead of a resume point counts as empty, so that no server refuses the client", (_, kept) => {
    expect(restored(kept)).toBeUndefined();
  });

  test("with a resume point is used to resume", () => {
    expect(restored(point)).toEqual(point);
  });
});
