/** The React wrapper, with React 19 in strict mode, rendered in the browser and on a server. */

import { StrictMode } from "react";
import { renderToString } from "react-dom/server";
import { expect, test } from "vitest";
import { FakeInbox } from "./fake.js";
import { Application } from "./react-application.js";
import { visits } from "./visits.js";

const { visit, complaints } = visits("react");

interface Known {
  other: FakeInbox;
  faults: string[];
  renders: number;
}

async function come() {
  const page = await visit();
  await page.locator("li").nth(2).waitFor();
  return page;
}

test("The hook is live: counts and items update, and a thousand arrivals render a few times.", async () => {
  const page = await come();
  const count = () => page.locator("output").textContent();
  expect(await count()).toBe("3");
  await page.getByText("Read the first").click();
  await expect.poll(count).toBe("2");
  const renders = () => page.evaluate(() => (window as unknown as Known).renders);
  const before = await renders();
  await page.evaluate(() => {
    for (let n = 0; n < 1_000; n++) window.inbox.arrive(window.notification(0, { title: `Number ${n}` }));
  });
  await expect.poll(() => page.locator("li").first().textContent()).toBe("Number 999");
  // Strict mode renders twice.
  expect((await renders()) - before).toBeLessThanOrEqual(8);
});

test("The hook starts with its filter and one request, and changes to another filter.", async () => {
  const page = await come();
  const asked = () => page.evaluate(() => window.inbox.lists.map(({ state }) => state ?? "all"));
  // Strict mode mounts twice.
  expect(new Set(await asked())).toEqual(new Set(["unread"]));
  await page.getByText("Turn").click();
  await expect.poll(() => page.locator("li").count()).toBe(7);
});

test("The hook returns the number of missed notifications until it is dismissed.", async () => {
  const page = await come();
  await page.evaluate(() => {
    window.inbox.missed = 4;
    window.inbox.emit("gap", { type: "gap", log: "all", from: 1, to: 4, missed: 4, reason: "expired" });
  });
  await page.getByText("Missed: 4").click();
  await page.getByText("Missed").waitFor({ state: "detached" });
});

test("The component uses the provider's client, accepts texts and a language, and reports opened notifications.", async () => {
  const page = await come();
  const bell = page.locator("tidings-inbox .bell");
  await expect.poll(() => bell.getAttribute("aria-label")).toBe("Post, Unread: 3");
  await expect.poll(() => page.title()).toBe("(3) Acme");
  await page.getByText("Français").click();
  await expect.poll(() => bell.getAttribute("aria-label")).toBe("Courrier, Non lues: 3");
  await bell.click();
  const opener = page.locator("tidings-inbox .open");
  await opener.nth(4).click();
  await expect.poll(() => page.locator("#opened").textContent()).toBe("bob joined team-7");
  // Another render with equal texts leaves the panel open.
  expect(await page.locator("tidings-inbox .panel:popover-open").count()).toBe(1);
  await opener.first().click();
  await expect.poll(() => page.locator("#opened").textContent()).toBe("ana mentioned you");
});

test("With another client all content is of its user, and the first client has no handlers.", async () => {
  const page = await come();
  expect(await page.evaluate(() => window.inbox.listeners)).toBeGreaterThan(0);
  await page.getByText("Another user").click();
  await expect.poll(() => page.locator("li").allTextContents()).toEqual(["For bob"]);
  await expect.poll(() => page.title()).toBe("(1) Acme");
  await expect.poll(() => page.evaluate(() => window.inbox.listeners)).toBe(0);
});

test("An unmounted component leaves no handler and no title behind, and works when it is mounted again.", async () => {
  const page = await come();
  const listeners = () => page.evaluate(() => window.inbox.listeners);
  const before = await listeners();
  await page.getByText("Come and go").click();
  await expect.poll(() => page.title()).toBe("Acme");
  expect(await listeners()).toBeLessThan(before);
  await page.getByText("Come and go").click();
  await expect.poll(() => page.locator("li").count()).toBe(3);
  await expect.poll(() => page.title()).toBe("(3) Acme");
  expect(await listeners()).toBe(before);
});

test("The elements themselves work in TSX, with their properties and events.", async () => {
  const page = await come();
  await page.evaluate(() =>
    window.inbox.arrive(window.notification(0, { title: "By toast", priority: "urgent" })),
  );
  await page.locator("tidings-toasts .toast .open").click();
  await expect.poll(() => page.locator("#opened").textContent()).toBe("By toast");
});

test("A page from a server hydrates without a difference, in any state of the client.", async () => {
  Object.assign(globalThis, { renders: 0 });
  const clients = [new FakeInbox([]), new FakeInbox([])] as const;
  const made = renderToString(
    <StrictMode>
      <Application clients={clients} />
    </StrictMode>,
  );
  expect(made).toContain("<tidings-inbox");
  const page = await visit("", {}, (empty) =>
    empty.route("**/react?", async (route) => {
      const answer = await route.fetch();
      const body = (await answer.text()).replace('<div id="home"></div>', `<div id="home">${made}</div>`);
      await route.fulfill({ response: answer, body });
    }),
  );
  await page.locator("li").nth(2).waitFor();
  await expect.poll(() => page.locator(".bell").getAttribute("aria-label")).toBe("Post, Unread: 3");
  expect(await page.evaluate(() => (window as unknown as Known).faults)).toEqual([]);
  expect(complaints).toEqual([]);
});

test("A ref opens the panel, a handler follows it, and the component passes on all attributes.", async () => {
  const page = await come();
  const attributes = await page
    .locator("tidings-inbox")
    .evaluate((each) => ["id", "aria-label", "data-place"].map((name) => each.getAttribute(name)));
  expect(attributes).toEqual(["inbox", "The inbox", "header"]);
  expect(await page.locator("tidings-inbox").getAttribute("toasts")).toBe("");
  await page.getByText("Open", { exact: true }).click();
  await page.locator(".panel:popover-open").waitFor();
  await page.getByText("The panel is open").waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("The panel is closed").waitFor();
});

test("Rows have the content of components, which keep their state, follow the item, and fail alone.", async () => {
  const page = await come();
  const lines: string[] = [];
  page.on("console", (message) => lines.push(message.text()));
  await page.getByRole("button", { name: "Own rows" }).click();
  await page.locator("tidings-inbox .bell").click();
  const card = page.locator(".card", { hasText: "Deploy needs your approval" });
  await card.getByText("Pressed 0").click();
  await card.getByText("Pressed 1").waitFor();
  // Undefined is the usual row.
  expect(await page.locator(".card").count()).toBe(6);
  await page.evaluate(() => window.inbox.mark("read", { all: true }));
  await card.getByText("read").waitFor();
  await card.getByText("Pressed 1").waitFor();

  await page.getByRole("button", { name: "Own rows" }).click({ force: true });
  await page.locator("tidings-inbox .bell").click();
  await expect.poll(() => page.locator(".card").count()).toBe(5);
  await page.locator(".row:not(.own) .title", { hasText: "Deploy needs" }).waitFor();
  expect(lines.filter((line) => line.startsWith("[tidings] renderItem failed"))).toHaveLength(1);
});
