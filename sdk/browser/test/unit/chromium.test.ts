import { chromium } from "playwright-core";
import { expect, test } from "vitest";
import { OPTIONS } from "../support/chromium.mjs";

test("our list of features without use in Chromium has all of Playwright's", async () => {
  // The error of a program that is no browser has its command line.
  const failed: Error = await chromium.launch({ ...OPTIONS, executablePath: "/bin/false" }).then(
    () => expect.unreachable(),
    (error) => error,
  );
  const lists = [...failed.message.matchAll(/--disable-features=(\S+)/g)].map(([, names]) =>
    names?.split(","),
  );
  const [playwrights, ours] = lists;
  expect(lists.length).toBeGreaterThanOrEqual(2);
  expect(ours).toEqual(expect.arrayContaining(playwrights ?? []));
});
