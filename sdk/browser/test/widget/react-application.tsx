/** A React application with the inbox as a hook, as a component, and as an element. */

import { useRef, useState } from "react";
import type { Item } from "../../src/client/types.js";
import { Inbox, TidingsProvider, useInbox } from "../../src/react/index.js";
import type { TidingsInbox } from "../../src/widget/index.js";
import type { FakeInbox } from "./fake.js";

function Titles() {
  const { items, counts, mark, show, filter, missed, dismissMissed } = useInbox("unread");
  (globalThis as unknown as { renders: number }).renders += 1;
  return (
    <section>
      <output>{counts?.unread}</output>
      <button type="button" onClick={() => mark("read", [items[0]?.notification.id ?? ""])}>
        Read the first
      </button>
      <button type="button" onClick={() => show(filter === "all" ? "unread" : "all")}>
        Turn
      </button>
      {missed !== undefined && (
        <button type="button" onClick={dismissMissed}>
          Missed: {missed}
        </button>
      )}
      <ul>
        {items.map(({ notification: { id, title } }) => (
          <li key={id}>{title}</li>
        ))}
      </ul>
    </section>
  );
}

/** The content of a row: a component with a hook. */
function Card({ title, isRead, isBroken }: { title: string; isRead: boolean; isBroken: boolean }) {
  const [count, setCount] = useState(0);
  if (isBroken && title.startsWith("Deploy")) throw new Error("broken");
  return (
    <p className="card">
      {title} {isRead ? "read" : "new"}{" "}
      <button type="button" onClick={() => setCount(count + 1)}>
        Pressed {count}
      </button>
    </p>
  );
}

/** The clients of two users. A button switches between them. */
export function Application({ clients }: { readonly clients: readonly [FakeInbox, FakeInbox] }) {
  const [lang, setLang] = useState("en");
  const [shown, setShown] = useState(false);
  const [opened, setOpened] = useState("");
  const [user, setUser] = useState<0 | 1>(0);
  const [there, setThere] = useState(true);
  const [kind, setKind] = useState<"none" | "own" | "broken">("none");
  const inbox = useRef<TidingsInbox>(null);
  return (
    <>
      {there && (
        <TidingsProvider client={clients[user]}>
          <Inbox
            ref={inbox}
            id="inbox"
            aria-label="The inbox"
            data-place="header"
            toasts
            lang={lang}
            titleBadge
            messages={{ title: lang === "en" ? "Post" : "Courrier" }}
            onOpenChange={setShown}
            {...(kind !== "none" && {
              renderItem: ({ notification: { title = "" }, read_at }: Item) =>
                title.startsWith("Weekly") ? undefined : (
                  <Card title={title} isRead={read_at !== null} isBroken={kind === "broken"} />
                ),
            })}
            onOpen={(event) => {
              event.preventDefault();
              setOpened(event.detail.item.notification.title ?? "");
            }}
          />
          <Titles />
        </TidingsProvider>
      )}
      <tidings-toasts
        client={clients[user]}
        position="top"
        ontidings-open={(event) => setOpened(event.detail.item.notification.title ?? "")}
      />
      <button type="button" onClick={() => inbox.current?.open()}>
        Open
      </button>
      <p>{shown ? "The panel is open" : "The panel is closed"}</p>
      <button type="button" onClick={() => setLang("fr")}>
        Français
      </button>
      <button type="button" onClick={() => setUser(1)}>
        Another user
      </button>
      <button type="button" onClick={() => setThere(!there)}>
        Come and go
      </button>
      <button type="button" onClick={() => setKind(kind === "none" ? "own" : "broken")}>
        Own rows
      </button>
      <p id="opened">{opened}</p>
    </>
  );
}
