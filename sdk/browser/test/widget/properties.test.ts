/** The properties that reflect attributes, as frameworks set them, in Chromium. */

import { expect, test } from "vitest";
import type { TidingsInbox } from "../../src/widget/index.js";
import { visits } from "./visits.js";

const { visit } = visits();

test("A property sets its attribute, a false one removes it, and the attribute sets the property.", async () => {
  const page = await visit();
  const found = await page.evaluate(() => {
    const element = document.createElement("tidings-inbox");
    const given = {
      url: "https://notify.example",
      tokenUrl: "/my-token",
      realtimeUrl: "wss://notify.example/v1/realtime",
      mode: "page",
      badge: "unseen",
      theme: "dark",
      placement: "top-start",
      toasts: true,
      sound: false,
      titleBadge: true,
    };
    Object.assign(element, given);
    const attributes = Object.fromEntries([...element.attributes].map(({ name, value }) => [name, value]));
    Object.assign(element, { mode: "", toasts: false, titleBadge: undefined });
    const left = element.getAttributeNames();
    element.setAttribute("sound", "");
    const asText = document.createElement("tidings-inbox");
    Object.assign(asText, { toasts: "", sound: "false", mode: "" });
    element.setAttribute("toasts", "false");
    const toasts = document.createElement("tidings-toasts");
    toasts.position = "top";
    return {
      attributes,
      left,
      sound: element.sound,
      toasts: element.toasts,
      mode: element.mode,
      position: toasts.getAttribute("position"),
      asText: [asText.toasts, asText.sound, asText.hasAttribute("mode")],
    };
  });

  expect(found.attributes).toEqual({
    url: "https://notify.example",
    "token-url": "/my-token",
    "realtime-url": "wss://notify.example/v1/realtime",
    mode: "page",
    badge: "unseen",
    theme: "dark",
    placement: "top-start",
    toasts: "",
    "title-badge": "",
  });
  expect(found.left).not.toEqual(expect.arrayContaining(["mode"]));
  expect(found.left).not.toEqual(expect.arrayContaining(["toasts"]));
  expect(found.left).not.toEqual(expect.arrayContaining(["title-badge"]));
  expect(found.asText).toEqual([true, false, false]);
  expect([found.sound, found.toasts, found.mode, found.position]).toEqual([true, false, "", "top"]);
});

test('The attribute toasts="false", as some frameworks write it, shows no toasts.', async () => {
  const page = await visit("toasts=false&title-badge=false");
  await page.locator(".bell").waitFor();
  await page.evaluate(() => window.inbox.arrive(window.notification(0, { title: "New" })));
  await expect.poll(() => page.locator(".badge").textContent()).toBe("4");
  expect(await page.locator("tidings-toasts").count()).toBe(0);
  expect(await page.title()).toBe("Acme");
});

test("Properties that a framework sets before the definition take effect after it.", async () => {
  const page = await visit();
  await page.evaluate(() => {
    const element = document.createElement("late-inbox");
    Object.assign(element, { mode: "page", client: window.inbox });
    document.body.append(element);
    (customElements.get("tidings-inbox") as typeof TidingsInbox).define("late-inbox");
  });
  await page.locator("late-inbox .item").first().waitFor();
  expect(await page.locator("late-inbox .bell").count()).toBe(0);
  expect(await page.locator("late-inbox").getAttribute("mode")).toBe("page");
});
