import { describe, expect, test } from "vitest";
import type { Item } from "../../src/client/index.js";
import { Ledger, marked } from "../../src/client/ledger.js";

const AT = "2026-11-22T07:00:00.000Z";
const LATER = "2026-11-22T07:00:01.000Z";
const COUNTS = { unseen: 5, unread: 5, version: 9 };

function item(position: number, category?: string): Item {
  return {
    log: "user",
    position,
    state: "unseen",
    seen_at: null,
    read_at: null,
    archived_at: null,
    snoozed_until: null,
    action: null,
    notification: {
      id: `n${position}`,
      priority: "normal",
      created_at: AT,
      ...(category !== undefined && { category }),
    },
  };
}

function listing(...items: Item[]): Ledger {
  const ledger = new Ledger();
  ledger.list(items);
  return ledger;
}

const stated = (more: object) => ({ type: "state" as const, counts: COUNTS, state_version: 1, ...more });
const states = (items: readonly Item[]) => items.map(({ notification, state }) => [notification.id, state]);

describe("an item of the history", () => {
  const past = (position: number): Item => ({ ...item(position), archived_copy: true });

  test("is not concerned by a mark of all, on this device or another one", () => {
    const ledger = listing(item(3), past(2), past(1));
    expect(states(ledger.pend("1", ["read", AT], { state: "read", all: true }, COUNTS))).toEqual([
      ["n3", "read"],
    ]);
    const elsewhere = stated({ state: "archived", at: LATER, up_to: { user: 3 } });
    expect(states(ledger.apply(elsewhere))).toEqual([["n3", "archived"]]);
  });

  test("is as before after a mark by its id, which the server does not know", () => {
    const ledger = listing(past(1));
    ledger.pend("1", ["read", AT], { state: "read", ids: ["n1"] }, COUNTS);
    expect(states(ledger.apply(stated({ ref: "1", changes: [], unknown: ["n1"] })))).toEqual([
      ["n1", "unseen"],
    ]);
    expect(ledger.counts(COUNTS)).toEqual(COUNTS);
  });
});

describe("a mark", () => {
  test.each([
    ["seen", "seen"],
    ["read", "read"],
    ["archived", "archived"],
  ] as const)("%s makes an unseen item %s", (mark, state) => {
    expect(marked(item(1), mark, AT).state).toBe(state);
  });

  test("read implies seen, unread resets only read, unseen resets both", () => {
    const read = marked(item(1), "read", AT);
    expect(read.seen_at).toBe(AT);
    expect(marked(read, "unread", LATER).state).toBe("seen");
    expect(marked(read, "unseen", LATER).state).toBe("unseen");
  });

  test("archived is independent: unarchived restores the former state", () => {
    const archived = marked(marked(item(1), "read", AT), "archived", LATER);
    expect(archived.state).toBe("archived");
    expect(marked(archived, "unarchived", LATER).state).toBe("read");
  });

  test("does not change the time of a state that is set already", () => {
    expect(marked(marked(item(1), "read", AT), "read", LATER).read_at).toBe(AT);
  });
});

describe("an optimistic mark", () => {
  test("shows at once, and its answer changes nothing more", () => {
    const ledger = listing(item(1), item(2));
    expect(states(ledger.pend("r", ["read", AT], { state: "read", ids: ["n1"] }, COUNTS))).toEqual([
      ["n1", "read"],
    ]);
    expect(ledger.counts(COUNTS)).toMatchObject({ unseen: 4, unread: 4 });

    const after = { unseen: 4, unread: 4, version: 10 };
    const told = stated({ ref: "r", counts: after, changes: [{ id: "n1", state: "read", at: LATER }] });
    expect(ledger.apply(told)).toEqual([]);
    expect(ledger.counts(after)).toMatchObject({ unseen: 4, unread: 4 });
  });

  test("that is refused is taken back completely", () => {
    const ledger = listing(item(1));
    ledger.pend("r", ["archived", AT], { state: "archived", ids: ["n1"] }, COUNTS);
    expect(states(ledger.revoke("r"))).toEqual([["n1", "unseen"]]);
    expect(ledger.counts(COUNTS)).toEqual(COUNTS);
  });

  test("that is refused does not affect a later mark", () => {
    const ledger = listing(item(1));
    ledger.pend("first", ["read", AT], { state: "read", ids: ["n1"] }, COUNTS);
    ledger.pend("second", ["archived", AT], { state: "archived", ids: ["n1"] }, COUNTS);
    expect(ledger.revoke("first")).toMatchObject([{ state: "archived", read_at: null }]);
  });

  test("counts an item once that two marks concern", () => {
    const ledger = listing(item(1));
    ledger.pend("first", ["read", AT], { state: "read", ids: ["n1"] }, COUNTS);
    ledger.pend("second", ["archived", AT], { state: "archived", ids: ["n1"] }, COUNTS);
    expect(ledger.counts(COUNTS)).toMatchObject({ unseen: 4, unread: 4 });
  });

  test("counts an item once that another device marks before the answer", () => {
    const ledger = listing(item(1), item(2));
    ledger.pend("r", ["read", AT], { state: "read", ids: ["n1"] }, COUNTS);

    const after = { unseen: 4, unread: 4, version: 10 };
    ledger.apply(stated({ counts: after, changes: [{ id: "n1", state: "read", at: LATER }] }));
    expect(ledger.counts(after)).toMatchObject({ unseen: 4, unread: 4 });

    ledger.apply(stated({ counts: after, ref: "r", changes: [] }));
    expect(ledger.counts(after)).toMatchObject({ unseen: 4, unread: 4 });
  });

  test("does not count an item that is recalled before the answer, or that a page lists as marked", () => {
    const ledger = listing(item(1), item(2));
    ledger.pend("r", ["archived", AT], { state: "archived", ids: ["n1", "n2"] }, COUNTS);
    ledger.drop("n1");
    expect(ledger.counts({ unseen: 4, unread: 4, version: 10 })).toMatchObject({ unseen: 3, unread: 3 });
    ledger.list([marked(item(2), "archived", LATER)]);
    expect(ledger.counts({ unseen: 3, unread: 3, version: 11 })).toMatchObject({ unseen: 3, unread: 3 });
  });

  test("of all counts each item once, known or unknown to this tab, also if another device marks it", () => {
    const ledger = listing(item(1), item(2));
    ledger.pend("r", ["read", AT], { state: "read", all: true }, COUNTS);
    const after = { unseen: 4, unread: 4, version: 10 };
    ledger.apply(stated({ counts: after, changes: [{ id: "n1", state: "read", at: LATER }] }));
    expect(ledger.counts(after)).toMatchObject({ unseen: 0, unread: 0 });
  });

  test("has no effect on the counts for an item that was dropped before the answer", () => {
    const ledger = listing(item(1));
    ledger.pend("r", ["read", AT], { state: "read", ids: ["n1"] }, COUNTS);
    ledger.clear();
    ledger.revoke("r");
    expect(ledger.counts(COUNTS)).toEqual(COUNTS);
  });

  test("of all resets the counts, also for items that were never listed; later arrivals count", () => {
    const ledger = listing(item(1));
    ledger.pend("r", ["read", AT], { state: "read", all: true }, COUNTS);
    expect(ledger.counts(COUNTS)).toMatchObject({ unseen: 0, unread: 0 });
    expect(ledger.counts({ unseen: 6, unread: 6, version: 10 })).toMatchObject({ unseen: 1, unread: 1 });
  });

  test("up to a position concerns the listed items up to it", () => {
    const ledger = listing(item(1), item(2), item(3));
    const items = ledger.pend("r", ["seen", AT], { state: "seen", up_to: { user: 2 } }, COUNTS);
    expect(states(items)).toEqual([
      ["n1", "seen"],
      ["n2", "seen"],
    ]);
    expect(ledger.counts(COUNTS)).toMatchObject({ unseen: 3, unread: 5 });
  });

  test("of a category concerns its items, and with a final dot the items of all categories below it", () => {
    const ledger = listing(item(1, "orders.new"), item(2, "orders"), item(3));
    const begin = (ref: string, category: string) =>
      states(ledger.pend(ref, ["read", AT], { state: "read", all: true, category }, COUNTS));
    expect(begin("exact", "orders")).toEqual([["n2", "read"]]);
    expect(begin("prefix", "orders.")).toEqual([["n1", "read"]]);
  });

  test("shows on a page that is listed before the answer", () => {
    const ledger = listing(item(1));
    ledger.pend("r", ["read", AT], { state: "read", ids: ["n1"] }, COUNTS);
    expect(states(ledger.list([item(1)]))).toEqual([["n1", "read"]]);
  });

  test("that REST answered stays", () => {
    const ledger = listing(item(1));
    ledger.pend("r", ["read", AT], { state: "read", ids: ["n1"] }, COUNTS);
    expect(ledger.confirm("r")).toEqual([]);
    expect(ledger.arrive(item(1)).state).toBe("read");
  });
});

describe("a mark of all, or up to a position,", () => {
  const archived = marked(item(1), "archived", AT);
  const whole = [{ all: true }, { up_to: { user: 2 } }] as const;

  test.each(whole)("does not change archived items: %o", (what) => {
    const ledger = listing(archived, item(2));
    expect(states(ledger.pend("r", ["read", AT], { state: "read", ...what }, COUNTS))).toEqual([
      ["n2", "read"],
    ]);
    const told = stated({ ref: "r", up_to: { user: 2 }, state: "read", at: LATER });
    expect(ledger.apply(told)).toEqual([]);
    expect(ledger.list([])).toEqual([]);
    expect(ledger.arrive(item(1))).toMatchObject({ state: "archived", read_at: null });
  });

  test.each(whole)("changes archived items if it is unarchived: %o", (what) => {
    const ledger = listing(archived, item(2));
    expect(states(ledger.pend("r", ["unarchived", AT], { state: "unarchived", ...what }, COUNTS))).toEqual([
      ["n1", "unseen"],
    ]);
    ledger.apply(stated({ ref: "r", up_to: { user: 2 }, state: "unarchived", at: LATER }));
    expect(ledger.arrive(item(1)).state).toBe("unseen");
  });

  test("does not change an item whose archiving has no answer yet", () => {
    const ledger = listing(item(1));
    ledger.pend("first", ["archived", AT], { state: "archived", ids: ["n1"] }, COUNTS);
    ledger.pend("second", ["read", LATER], { state: "read", all: true }, COUNTS);
    expect(ledger.arrive(item(1)).read_at).toBeNull();
  });

  test("is not applied to the items of a page that includes it", () => {
    const ledger = new Ledger();
    // Archived during the mark of all, and unarchived before the page was listed.
    ledger.list([item(1)], 3);
    const told = stated({ state_version: 2, up_to: { user: 1 }, state: "read", at: AT });
    expect(ledger.apply(told)).toEqual([]);
    expect(states(ledger.apply({ ...told, state_version: 4 }))).toEqual([["n1", "read"]]);
  });
});

describe("a state frame of the server", () => {
  test("for all items up to a position concerns the logs that it names, and no later items", () => {
    const ledger = listing(item(1), item(2));
    const told = stated({ all: true, up_to: { user: 1 }, state: "read", at: AT });
    expect(states(ledger.apply(told))).toEqual([["n1", "read"]]);
  });

  test("does not add unknown items", () => {
    expect(listing().apply(stated({ changes: [{ id: "n9", state: "read", at: AT }] }))).toEqual([]);
  });

  test("is applied to ten thousand items at most, so that memory is bounded", () => {
    const ledger = new Ledger();
    for (let position = 1; position <= 10_001; position++) ledger.arrive(item(position));
    const told = stated({ up_to: { user: 20_000 }, state: "read", at: AT });
    expect(ledger.apply(told)).toHaveLength(10_000);
  });
});

describe("a snooze", () => {
  const UNTIL = "2026-11-23T07:00:00.000Z";
  const snoozed = (until: string | null, ...changes: object[]) =>
    stated({ changes, snoozed: { ids: ["n1"], until } });

  test("takes an item out of the counts at once, and a refusal brings it back", () => {
    const ledger = listing(item(1), item(2));
    const [changed] = ledger.pend("r", ["snoozed", UNTIL], { ids: ["n1"], until: UNTIL }, COUNTS);
    expect(changed).toMatchObject({ snoozed_until: UNTIL, state: "unseen" });
    expect(ledger.counts(COUNTS)).toMatchObject({ unseen: 4, unread: 4 });
    expect(ledger.revoke("r")).toMatchObject([{ snoozed_until: null }]);
    expect(ledger.counts(COUNTS)).toMatchObject({ unseen: 5, unread: 5 });
  });

  test("that the server answered leaves the counts to the server", () => {
    const ledger = listing(item(1));
    ledger.pend("r", ["snoozed", UNTIL], { ids: ["n1"], until: UNTIL }, COUNTS);
    expect(ledger.apply(snoozed(UNTIL))).toEqual([]);
    expect(ledger.confirm("r")).toEqual([]);
    expect(ledger.counts(COUNTS)).toMatchObject({ unseen: 5, unread: 5 });
  });

  test("of another device hides an item, and its return makes it unseen", () => {
    const ledger = listing({ ...item(1), seen_at: AT, read_at: AT, state: "read" });
    expect(ledger.apply(snoozed(UNTIL))).toMatchObject([{ snoozed_until: UNTIL, state: "read" }]);
    const back = ledger.apply(snoozed(null, { id: "n1", state: "unseen", at: LATER }));
    expect(back).toMatchObject([{ snoozed_until: null, read_at: null, state: "unseen" }]);
  });

  test("that ends early leaves the state as it was", () => {
    const ledger = listing({ ...item(1), seen_at: AT, state: "seen" });
    ledger.apply(snoozed(UNTIL));
    expect(ledger.apply(snoozed(null))).toMatchObject([{ snoozed_until: null, state: "seen" }]);
  });

  test("and archiving end each other, and marks of all leave a snoozed item alone", () => {
    const archived = marked(item(1), "archived", AT);
    const asleep = marked(archived, "snoozed", UNTIL);
    expect(asleep).toMatchObject({ archived_at: null, snoozed_until: UNTIL });
    expect(marked(asleep, "archived", AT)).toMatchObject({ archived_at: AT, snoozed_until: null });
    const ledger = listing(asleep, item(2));
    const all = ledger.pend("r", ["read", AT], { state: "read", all: true }, COUNTS);
    expect(states(all)).toEqual([["n2", "read"]]);
  });
});
