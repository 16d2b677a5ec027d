/** A React application with the inbox as a hook and as a component. */

import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { Inbox, TidingsProvider, useInbox } from "../../src/react/index.js";
import { notification } from "./fake.js";
import { STATES } from "./states.js";

const inbox = STATES["usual"]?.();
if (!inbox) throw new Error("no such state");
Object.assign(window, { inbox, notification, renders: 0 });

function Titles() {
  const { items, counts, mark, show, filter } = useInbox();
  (window as unknown as { renders: number }).renders += 1;
  return (
    <section>
      <output>{counts?.unread}</output>
      <button type="button" onClick={() => mark("read", [items[0]?.notification.id ?? ""])}>
        Read the first
      </button>
      <button type="button" onClick={() => show(filter === "all" ? "unread" : "all")}>
        Turn
      </button>
      <ul>
        {items.map(({ notification: { id, title } }) => (
          <li key={id}>{title}</li>
        ))}
      </ul>
    </section>
  );
}

function Application() {
  const [lang, setLang] = useState("en");
  const [opened, setOpened] = useState("");
  return (
    <TidingsProvider client={inbox as NonNullable<typeof inbox>}>
      <Inbox
        lang={lang}
        titleBadge
        messages={{ title: lang === "en" ? "Post" : "Courrier" }}
        onOpen={(event) => {
          event.preventDefault();
          setOpened(event.detail.item.notification.title ?? "");
        }}
      />
      <Titles />
      <button type="button" onClick={() => setLang("fr")}>
        Français
      </button>
      <p id="opened">{opened}</p>
    </TidingsProvider>
  );
}

const home = document.querySelector("#home");
if (home)
  createRoot(home).render(
    <StrictMode>
      <Application />
    </StrictMode>,
  );
