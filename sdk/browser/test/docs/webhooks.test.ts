/** Requests of the service to a webhook, as an application in Node verifies them. */

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { Application } from "../support/server.js";

const PAGE = new URL("../../../../docs/webhooks.md", import.meta.url);

type Verify = (headers: object, body: string, secret: string) => { type: string } | null;

interface Made {
  readonly id: string;
  readonly secret: string;
}

const application = new Application(inject("ready"));
const requests: { headers: Record<string, string>; body: string }[] = [];
const receiver = createServer(async (request, response) => {
  requests.push({ headers: request.headers as Record<string, string>, body: await text(request) });
  response.writeHead(204).end();
});

beforeAll(async () => {
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
});
afterAll(() => receiver.close());

/** The request whose body has these words. Other tests send to the same tenant. */
const request = (words: string) => requests.find(({ body }) => body.includes(words));

/** The function of the document for Node. */
async function example(): Promise<Verify> {
  const [, code = ""] = /^```js\n(.*?)^```$/ms.exec(await readFile(PAGE, "utf8")) ?? [];
  return new Function("require", `${code}; return verify;`)(createRequire(import.meta.url)) as Verify;
}

test("The library of npm and the example for Node take real requests, and refuse changed ones.", async () => {
  const verify = await example();
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hooks`;
  const events = ["notification.stored"];
  const made = (await application.request("POST", "/v1/webhooks", { url, events })) as Made;
  try {
    const id = await application.send(application.user(), "signed once");
    await expect.poll(() => request(id)).toBeDefined();
    const rotated = (await application.request("POST", `/v1/webhooks/${made.id}/rotate`)) as Made;
    await application.request("POST", `/v1/webhooks/${made.id}/test`);
    const [first, second] = [request(id), request("webhook.test")];

    const signed = [
      { ...first, secrets: [made.secret], type: "notification.stored" },
      { ...second, secrets: [made.secret, rotated.secret], type: "webhook.test" },
    ];
    for (const { headers = {}, body = "", secrets, type } of signed) {
      for (const secret of secrets) {
        expect(new Webhook(secret).verify(body, headers)).toMatchObject({ type });
        expect(verify(headers, body, secret)).toMatchObject({ type });
      }
      const late = { ...headers, "webhook-timestamp": "1" };
      for (const [given, changed] of [
        [headers, `${body} `],
        [late, body],
      ] as const) {
        expect(() => new Webhook(made.secret).verify(changed, given)).toThrow();
        expect(verify(given, changed, made.secret)).toBeNull();
      }
    }
    expect(verify(first?.headers ?? {}, first?.body ?? "", rotated.secret)).toBeNull();
  } finally {
    await application.request("DELETE", `/v1/webhooks/${made.id}`);
  }
});
