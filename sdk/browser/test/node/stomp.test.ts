import { Client, type StompConfig } from "@stomp/stompjs";
import SockJS15 from "sockjs-client-15";
import SockJS16 from "sockjs-client-16";
import { over } from "stompjs";
import { describe, expect, inject, test } from "vitest";
import { WebSocket } from "ws";
import { Application } from "../support/server.js";

const ready = inject("ready");
const application = new Application(ready);
const socketUrl = ready.realtime.replace("/v1/realtime", "/ws");
const httpUrl = socketUrl.replace("ws://", "http://");
const INBOX = "/user/queue/notifications";
const DATA = { text: "a\u2028\u00e9" };

describe("stomp.js 2.3.3 gets the inbox", () => {
  /** Connects, subscribes, and sends until a message arrives, because its SUBSCRIBE has no receipt. */
  async function received(open: () => unknown): Promise<unknown> {
    const user = application.user();
    const { token } = await application.token(user);
    const client = over(open());
    client.debug = () => {};
    const bodies: string[] = [];
    await new Promise<void>((resolve, reject) => {
      client.connect({ passcode: token }, resolve, reject);
    });
    client.subscribe(INBOX, (message) => bodies.push(message.body));
    await expect
      .poll(
        async () => {
          await application.send(user, "hi", { data: DATA });
          return bodies.length;
        },
        { timeout: 10_000 },
      )
      .toBeGreaterThan(0);
    await new Promise<void>((done) => client.disconnect(done));
    return JSON.parse(bodies[0] as string);
  }

  test("over a WebSocket", async () => {
    expect(await received(() => new WebSocket(socketUrl, ["v10.stomp", "v11.stomp"]))).toEqual(DATA);
  });

  for (const transports of ["websocket", "xhr-streaming", "xhr-polling", "eventsource"]) {
    test(`over sockjs-client 1.5.2 by ${transports}`, async () => {
      expect(await received(() => new SockJS15(httpUrl, null, { transports }))).toEqual(DATA);
    });
    test(`over sockjs-client 1.6.1 by ${transports}`, async () => {
      expect(await received(() => new SockJS16(httpUrl, null, { transports }))).toEqual(DATA);
    });
  }
});

describe("@stomp/stompjs 7 gets the inbox, acknowledges and leaves with a receipt", () => {
  async function received(config: StompConfig): Promise<unknown> {
    const user = application.user();
    const { token } = await application.token(user);
    const client = new Client({
      connectHeaders: { Authorization: `Bearer ${token}` },
      heartbeatIncoming: 1000,
      heartbeatOutgoing: 1000,
      ...config,
    });
    const body = await new Promise<string>((resolve, reject) => {
      client.onConnect = () => {
        client.watchForReceipt("subscribed", () => void application.send(user, "hi", { data: DATA }));
        client.subscribe(
          INBOX,
          (message) => {
            message.ack();
            resolve(message.body);
          },
          { ack: "client", receipt: "subscribed" },
        );
      };
      client.onStompError = (frame) => reject(new Error(frame.body));
      client.activate();
    });
    await client.deactivate();
    return JSON.parse(body);
  }

  const native = () => new WebSocket(socketUrl, ["v12.stomp"]) as unknown as globalThis.WebSocket;

  test("in text frames", async () => {
    expect(await received({ webSocketFactory: native })).toEqual(DATA);
  });

  test("in binary frames", async () => {
    expect(await received({ webSocketFactory: native, forceBinaryWSFrames: true })).toEqual(DATA);
  });

  test("in split frames", async () => {
    const split = { splitLargeFrames: true, maxWebSocketChunkSize: 20 };
    expect(await received({ webSocketFactory: native, ...split })).toEqual(DATA);
  });

  test("over SockJS", async () => {
    const webSocketFactory = () => new SockJS16(httpUrl, null, { transports: "xhr-streaming" });
    expect(await received({ webSocketFactory })).toEqual(DATA);
  });
});
