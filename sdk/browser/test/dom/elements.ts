/** The elements in an application's own tests, in a document outside a browser. */

import { afterEach, beforeEach, expect, test } from "vitest";
import type { TidingsInbox, TidingsToasts } from "../../src/widget/index.js";
import { soon } from "../support/soon.js";
import { FakeInbox, notification } from "../widget/fake.js";

type Element = TidingsInbox | TidingsToasts;

let inbox: FakeInbox;
const thrown: unknown[] = [];
const note = (error: unknown) => void thrown.push(error);

beforeEach(() => {
  inbox = new FakeInbox([
    notification(1, { title: "One", body: "Its text" }),
    notification(2, { title: "Two" }),
  ]);
  process.on("unhandledRejection", note);
  process.on("uncaughtException", note);
  window.addEventListener("error", ({ error }) => note(error));
});

afterEach(async () => {
  document.body.replaceChildren();
  // Started work continues for a moment after the removal of its element.
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.off("unhandledRejection", note);
  process.off("uncaughtException", note);
  expect(thrown.splice(0)).toEqual([]);
});

function put(tag: "tidings-inbox" | "tidings-toasts", attributes: Record<string, string> = {}): Element {
  const element = document.createElement(tag) as Element;
  element.client = inbox;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  document.body.append(element);
  return element;
}

const text = (element: Element) => element.root.textContent ?? "";

export function suite(): void {
  test("the module can be imported, and defines both elements", async () => {
    await import("../../src/widget/index.js");

    expect(customElements.get("tidings-inbox")).toBeDefined();
    expect(customElements.get("tidings-toasts")).toBeDefined();
  });

  test("a bell shows the number of unread notifications, has a name, and opens and closes", async () => {
    const element = put("tidings-inbox", { sound: "", "title-badge": "" }) as TidingsInbox;
    await soon(() => expect(element.root.querySelector(".badge")?.textContent).toBe("2"));

    expect(element.root.querySelector(".bell")?.getAttribute("aria-label")).toContain("2");
    element.root.querySelector<HTMLElement>(".bell")?.click();
    element.open();
    await soon(() => expect(text(element)).toContain("Its text"));
    element.close();
    inbox.arrive(notification(0, { title: "Three" }));
    await soon(() => expect(document.title).toMatch(/^\(3\)/));
    element.remove();
    await soon(() => expect(inbox.listeners).toBe(0));
  });

  test("an inbox in place shows its rows, marks them, and has all filters", async () => {
    const element = put("tidings-inbox", { mode: "page", toasts: "" });
    await soon(() => expect(text(element)).toContain("Two"));

    for (const name of [".open", ".tool", ".mark-all", "#unread", "#archived", "#all"])
      element.root.querySelector<HTMLElement>(name)?.click();
    await soon(() => expect(inbox.counts.unread).toBe(0));
    inbox.become("offline");
    inbox.become("connected");
    inbox.become("stopped", "logout");
    await soon(() => expect(text(element)).not.toContain("Two"));
  });

  test("toasts show a new notification, and remove it", async () => {
    const element = put("tidings-toasts", { position: "top", sound: "" });
    await soon(() => expect(inbox.listeners).toBeGreaterThan(0));
    inbox.arrive(notification(0, { title: "Urgent", priority: "urgent" }));
    await soon(() => expect(text(element)).toContain("Urgent"));

    element.root.querySelector<HTMLElement>(".close")?.click();
    await soon(() => expect(element.root.querySelector(".toast")).toBeNull());
  });

  test("an element with unreachable addresses throws no error", async () => {
    const element = document.createElement("tidings-inbox");
    element.setAttribute("url", "http://127.0.0.1:9");
    element.setAttribute("token-url", "http://127.0.0.1:9/token");
    document.body.append(element);
    await soon(() => expect(element.client?.status).toBe("offline"));
  });
}
