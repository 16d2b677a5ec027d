/** Defining the elements under further tags and in further registries, in Chromium. */

import { expect, test } from "vitest";
import type { TidingsInbox } from "../../src/widget/index.js";
import { visits } from "./visits.js";

type Defines = typeof TidingsInbox;

const { visit } = visits();

test("A second tag has the same inbox, and the first one keeps its class.", async () => {
  const page = await visit();
  const same = await page.evaluate(() => {
    const TidingsInbox = customElements.get("tidings-inbox") as Defines;
    TidingsInbox.define("acme-inbox");
    TidingsInbox.define("acme-inbox");
    const element = document.createElement("acme-inbox") as TidingsInbox;
    element.client = window.inbox;
    element.setAttribute("toasts", "");
    document.body.append(element);
    return [element instanceof TidingsInbox, new TidingsInbox().localName];
  });

  await page.locator("acme-inbox .bell").click();
  await page.locator("acme-inbox .row").first().waitFor();
  await page.keyboard.press("Escape");
  await page.evaluate(() =>
    window.inbox.arrive(window.notification(0, { title: "Urgent", priority: "urgent" })),
  );
  await page.locator("acme-inbox tidings-toasts .toast").waitFor();

  expect(same).toEqual([true, "tidings-inbox"]);
});

test("A scoped registry has an inbox under a tag that the page does not know.", async () => {
  const page = await visit();
  const known = await page.evaluate(() => {
    const TidingsInbox = customElements.get("tidings-inbox") as Defines;
    const registry = new CustomElementRegistry();
    TidingsInbox.define("scoped-inbox", registry);
    const host = document.body.appendChild(document.createElement("div"));
    const options = { mode: "open", customElementRegistry: registry } as ShadowRootInit;
    const root = host.attachShadow(options);
    root.innerHTML = '<scoped-inbox toasts=""></scoped-inbox>';
    (root.firstElementChild as TidingsInbox).client = window.inbox;
    return [customElements.get("scoped-inbox"), registry.get("scoped-inbox") === TidingsInbox];
  });

  await page.locator("scoped-inbox .bell").click();
  await page.locator("scoped-inbox .row").first().waitFor();
  await page.keyboard.press("Escape");
  await page.evaluate(() =>
    window.inbox.arrive(window.notification(0, { title: "Urgent", priority: "urgent" })),
  );
  await page.locator("scoped-inbox tidings-toasts .toast").waitFor();

  expect(known).toEqual([undefined, true]);
});

test("An invalid tag throws the browser's error.", async () => {
  const page = await visit();
  const defining = page.evaluate(() => {
    (customElements.get("tidings-inbox") as Defines).define("inbox");
  });

  await expect(defining).rejects.toThrow("not a valid custom element name");
});
