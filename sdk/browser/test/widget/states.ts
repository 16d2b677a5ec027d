/** The states for tests of the widget, by name: the content of the inbox and its status. */

import type { Item, UsedAction } from "../../src/client/types.js";
import { FakeInbox, notification } from "./fake.js";

const HOUR = 60;
const DAY = 24 * HOUR;

function read(item: Item): Item {
  return {
    ...item,
    state: "read",
    seen_at: item.notification.created_at,
    read_at: item.notification.created_at,
  };
}

function usual(): Item[] {
  return [
    notification(0.2, {
      title: "ana mentioned you",
      body: "“Could you have a look at the numbers before the review on Thursday?”",
      category: "Comments",
      link: "/c/1",
      icon: "/ana.svg",
    }),
    notification(14, {
      title: "Deploy needs your approval",
      body: "web 4.12.0 is ready for production.",
      category: "Deploys",
      priority: "high",
      actions: [
        { id: "approve", label: "Approve" },
        { id: "view", label: "View changes", link: "/deploys/412" },
      ],
    }),
    notification(95, {
      title: "Payment failed for invoice 2026-118",
      body: "The card was declined. The next try is tomorrow.",
      category: "Billing",
      priority: "urgent",
      link: "/billing",
    }),
    read(
      notification(DAY + 2 * HOUR, {
        title: "Your parcel is on its way",
        body: "Parcel 4711 arrives tomorrow between 9 and 12.",
        category: "Orders",
        link: "/o/4711",
        icon: "/parcel.svg",
      }),
    ),
    read(
      notification(DAY + 5 * HOUR, {
        title: "bob joined team-7",
        category: "People",
        icon: "/bob.svg",
      }),
    ),
    read(
      notification(4 * DAY, {
        title: "Weekly summary",
        body: "12 deploys, 3 incidents, 48 comments.",
        category: "Reports",
      }),
    ),
    read(
      notification(21 * DAY, {
        title: "Welcome to Tidings",
        body: "Everything that concerns you comes in here.",
      }),
    ),
  ];
}

/** Notifications of several categories, as senders name them. */
function categories(): Item[] {
  const [first, second, third, fourth, ...rest] = usual();
  return [
    named(first, "comments.mention", { data: { actor: { name: "Ana Lee" } } }),
    named(second, "deploys.approval"),
    named(third, "billing"),
    named(fourth, "orders.in_transit"),
    notification(3 * HOUR, { title: "Order 4712 is packed", category: "orders.packed" }),
    notification(5 * HOUR, { title: "Order 4700 was delivered", category: "orders.delivered" }),
    ...rest,
  ].sort((one, other) => (one.notification.id < other.notification.id ? 1 : -1));
}

/** Comments on two documents, with another notification between some of them. */
function groups(): Item[] {
  const comment = (minutes: number, who: string, key: string, fields: Partial<Item["notification"]> = {}) =>
    notification(minutes, {
      title: `${who} commented on “${key}”`,
      body: "“I would move the second part up.”",
      category: "Comments",
      group_key: key,
      link: `/d/${key}`,
      ...fields,
    });
  return [
    comment(1, "Maria", "Roadmap"),
    comment(4, "Tom", "Roadmap"),
    read(comment(9, "Ana", "Roadmap")),
    comment(12, "Li", "Roadmap"),
    notification(20, { title: "web 4.12.0 is live", category: "Deploys" }),
    comment(31, "Tom", "Roadmap"),
    comment(40, "Maria", "Budget"),
    comment(41, "Ana", "Budget"),
    comment(42, "Bot", "Budget", { category: "Deploys" }),
  ];
}

/** Texts with marks, and with what must stay text. */
function marked(): Item[] {
  const one = (title: string, body: string) => notification(1, { title, body, category: "deploys" });
  return [
    one(
      "Deploy of web 4.12.0 failed",
      "Step **migrate** stopped after `alembic upgrade head`. *Nothing was changed.* See [the log](/deploys/412/log).",
    ),
    one(
      "Review requested",
      "_ana_ asks for **your review** of [#4711](https://code.example/4711) in `main`.",
    ),
    one("Plain", "2 * 3 * 4 and snake_case_name stay as they are, and **so does this"),
    one(
      "Hostile",
      "[press](javascript:document.title='taken') <img src=x onerror=\"document.title='taken'\"> **<b>bold</b>**",
    ),
  ];
}

function named(item: Item | undefined, category: string, fields: Partial<Item["notification"]> = {}): Item {
  if (!item) throw new Error("The usual state is shorter.");
  return { ...item, notification: { ...item.notification, category, ...fields } };
}

function arabic(): Item[] {
  return [
    notification(0.2, {
      title: "أشارت إليك ana",
      body: "هل يمكنك مراجعة الأرقام قبل اجتماع الخميس؟",
      category: "تعليقات",
      icon: "/ana.svg",
      link: "/c/1",
    }),
    notification(14, {
      title: "النشر بانتظار موافقتك",
      body: "الإصدار web 4.12.0 جاهز.",
      actions: [
        { id: "approve", label: "موافقة" },
        { id: "view", label: "عرض التغييرات", link: "/d" },
      ],
    }),
    notification(95, {
      title: "فشل دفع الفاتورة 118",
      body: "رُفضت البطاقة. المحاولة التالية غدًا.",
      priority: "urgent",
    }),
    read(
      notification(DAY + 2 * HOUR, {
        title: "Deploy finished",
        body: "web 4.11.2 is live.",
        icon: "/parcel.svg",
      }),
    ),
  ];
}

function hostile(): Item[] {
  return [
    notification(1, {
      title: "<script>document.title = 'taken'</script>",
      body: "<img src=x onerror=\"document.title='taken'\"> <b>bold?</b>",
    }),
    notification(2, {
      title: "A link that is none",
      link: "javascript:document.title='taken'",
      actions: [
        { id: "a", label: "Press me", link: "JaVaScRiPt:document.title='taken'" },
        { id: "b", label: "Data", link: "data:text/html,<script>1</script>" },
      ],
    }),
    notification(3, { title: "W".repeat(10_000), body: "lorem ipsum ".repeat(1_000) }),
    notification(4, {
      title: "invoice\u202efdp.exe",
      body: "\u202e\u2067 turned around \u200f and never turned back",
    }),
    notification(5, { title: "👩‍👩‍👧‍👦🏳️‍🌈 ".repeat(40), body: "z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍a̴̵̜̰͔ͫ͗͢l̠ͨͧͩ͘g̴̵̠o".repeat(5) }),
    notification(6, { title: "An icon that never loads", icon: "/never.png" }),
    notification(7, { title: "An icon that is missing", icon: "/missing.png" }),
    notification(8, { title: "", body: "Only a body", category: "x".repeat(128) }),
    notification(9, { data: { only: "data" } }),
  ];
}

function many(count: number): Item[] {
  return Array.from({ length: count }, (_, index) =>
    notification(index * 7, {
      title: `Notification ${count - index}`,
      ...(index % 3
        ? { body: "A line of text about what happened, now and then a longer one than this." }
        : {}),
      ...(index % 9 ? {} : { actions: [{ id: "do", label: "Do it" }] }),
    }),
  );
}

/** Makes the inbox of a state. */
/** Two rows of the inbox, and older ones from the history. */
function history(): Item[] {
  const actions = [{ id: "approve", label: "Approve" }];
  const old = [
    notification(40 * DAY, { title: "Old and unread", body: "A text.", link: "/old/1", category: "Orders" }),
    { ...notification(41 * DAY, { title: "Old and used", actions }), action: used() },
    read(notification(42 * DAY, { title: "Old and read", body: "Another text.", actions })),
  ];
  return [...usual().slice(0, 2), ...old.map((item) => ({ ...item, archived_copy: true as const }))];
}

function used(): UsedAction {
  return { id: "approve", at: new Date().toISOString() };
}

export const STATES: Readonly<Record<string, () => FakeInbox>> = {
  usual: () => new FakeInbox(usual()),
  marked: () => new FakeInbox(marked()),
  categories: () => new FakeInbox(categories()),
  arabic: () => new FakeInbox(arabic()),
  groups: () => new FakeInbox(groups()),
  hostile: () => new FakeInbox(hostile()),
  empty: () => new FakeInbox([]),
  loading: () => with_("hangs"),
  failed: () => with_("fails"),
  offline: () => {
    const inbox = new FakeInbox(usual());
    inbox.status = "offline";
    return inbox;
  },
  stopped: () => {
    const inbox = new FakeInbox(usual());
    inbox.status = "stopped";
    return inbox;
  },
  many: () => new FakeInbox(many(10_000)),
  history: () => {
    const inbox = new FakeInbox(history());
    inbox.away = true;
    return inbox;
  },
};

function with_(mode: FakeInbox["mode"]): FakeInbox {
  const inbox = new FakeInbox([]);
  inbox.mode = mode;
  return inbox;
}
