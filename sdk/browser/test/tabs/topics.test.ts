import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { Browsing, until } from "../support/browsing.js";
import { Application } from "../support/server.js";

const application = new Application(inject("ready"));
const browsing = new Browsing(application);

/** Subscribes on a page, with all that the topic has. Its titles are added to `titles`. */
const subscribe = (page: Page, topic: string) =>
  page.evaluate((name) => {
    tidings.subscribe(name, ({ title }) => titles.push(title ?? ""), { rewind: 200 });
  }, topic);
const got = (page: Page) => expect.poll(() => page.evaluate(() => titles), { timeout: 5_000 });

test("tabs that share a connection subscribe each for itself, and a new leader goes on", async () => {
  const [user, topic] = [application.user(), application.topic()];
  await application.publish(topic, "1");
  const [leader, follower] = await browsing.pair(user);
  await subscribe(follower, topic);
  await got(follower).toEqual(["1"]);
  await subscribe(leader, topic);
  await got(leader).toEqual(["1"]);
  await application.publish(topic, "2");
  await got(follower).toEqual(["1", "2"]);
  await got(leader).toEqual(["1", "2"]);
  expect(await application.connections(user)).toBe(1);

  await leader.close();
  await application.publish(topic, "3");
  await until(follower, () => tidings.leads && tidings.status === "connected");
  await application.publish(topic, "4");

  await got(follower).toEqual(["1", "2", "3", "4"]);
});

test("a leader that hung goes on as a following tab, and misses nothing", async () => {
  const [user, topic] = [application.user(), application.topic()];
  const [leader, follower] = await browsing.pair(user);
  await subscribe(leader, topic);
  await application.publish(topic, "1");
  await got(leader).toEqual(["1"]);
  await follower.bringToFront();

  // Busy in one task until after the other tab has taken over.
  const hanging = leader.evaluate(() => {
    const end = Date.now() + 3_000;
    while (Date.now() < end);
  });
  hanging.catch(() => undefined);
  await until(follower, () => tidings.leads && tidings.status === "connected");
  await application.publish(topic, "2");
  await hanging;
  await until(leader, () => !tidings.leads && tidings.status === "connected");
  await application.publish(topic, "3");

  await got(leader).toEqual(["1", "2", "3"]);
});

test("the script loads the module from its own address, and again after a failure", async () => {
  const [user, topic] = [application.user(), application.topic()];
  await application.publish(topic, "1");
  const page = await browsing.tab(user);
  const asked: string[] = [];
  await page.route("**/topics.mjs*", (route) =>
    asked.push(route.request().url()) === 1 ? route.abort() : route.continue(),
  );
  await page.addScriptTag({ url: `${application.api}/widget.js` });

  const results = await page.evaluate(
    async ([url, name]) => {
      const { Tidings } = globalThis.tidings as unknown as typeof import("../../src/client/index.js");
      const client = new Tidings({
        url,
        token: () => fetch(`/token${location.search}`),
        shared: false,
      });
      client.connect();
      const outcome = () =>
        new Promise<string>((resolve) => {
          const onEnd = ({ name }: Error) => resolve(name);
          client.subscribe(name, ({ title }) => resolve(title ?? ""), { rewind: 1, onEnd });
        });
      return [await outcome(), await outcome()];
    },
    [application.api, topic] as const,
  );

  expect(results).toEqual(["TypeError", "1"]);
  expect(asked[0]).toMatch(new RegExp(`^${application.api}/topics\\.mjs\\?v=[0-9a-f]{12}$`));
  expect(asked[1]).toBe(`${asked[0]}&again`);
});
