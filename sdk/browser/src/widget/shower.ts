/** Loads the panel of an element when it is wanted, and shows it. */

import type { Inbox } from "../client/types.js";
import type { AnchorOptions } from "./anchor.js";
import { button } from "./dom.js";
import type { Extras, ExtrasHost } from "./extras.js";
import type { Groups } from "./groups.js";
import { setOpen } from "./layers.js";
import { loadExtras, loadGroups, loadParts, loadWords } from "./load.js";
import { learn } from "./messages.js";
import type { Panel } from "./panel.js";

export interface ShowerOptions {
  readonly client: Inbox;
  readonly host: ExtrasHost;
  /** The box that the panel fills. */
  readonly shell: HTMLElement;
  /** Adds style sheets to the element. */
  adopt(sheets: readonly string[]): void;
  /** Whether the page uses the module `extras.ts`. */
  isExtended(): boolean;
  /** Of a popover. */
  readonly anchoring?: Omit<AnchorOptions, "signal">;
}

/** Returns a function that shows the panel, stops it, or with undefined only builds it; and one that removes it. */
export function shower({ client, host, shell, adopt, isExtended, anchoring }: ShowerOptions) {
  let panel: Panel | undefined;
  let extras: Extras | undefined;
  let wanted = false;
  let making: Promise<void> | undefined;
  let end: (() => void) | undefined;
  let groups: Groups | undefined;
  let grouping: Promise<void> | undefined;
  /** Shows groups from the first notification of one on. */
  const group = (made: Panel) => {
    groups?.update();
    if (!grouping && made.feed.snapshot.items.some(({ notification }) => notification.group_key))
      grouping = loadGroups().then(
        ({ Groups, texts }) => {
          learn(texts);
          adopt(Groups.css);
          groups = new Groups(made, shell, host);
        },
        // Without them each notification has its row.
        () => undefined,
      );
  };
  const make = () => {
    making ??= build().finally(() => {
      making = undefined;
    });
    return making;
  };
  const build = async () => {
    const [parts, words, further] = await Promise.all([
      loadParts(),
      // Without them the texts are English.
      /^en\b/i.test(host.language) ? undefined : loadWords().catch(() => undefined),
      // Without them the list is the usual one.
      isExtended() ? loadExtras().catch(() => undefined) : undefined,
    ]);
    learn(parts.texts);
    if (words) learn(words.texts);
    if (!shell.isConnected) return;
    adopt([...parts.Panel.css, ...(further?.Extras.css ?? [])]);
    extras = further && new further.Extras(client, host);
    const made = new parts.Panel({ client, localizer: host, host, shell, close: anchoring?.close, extras });
    panel = made;
    start = () => {
      const leaving = new AbortController();
      if (anchoring) parts.anchor({ ...anchoring, signal: leaving.signal });
      made.start();
      const stop = made.feed.subscribe(() => group(made));
      return () => {
        leaving.abort();
        stop();
        made.rest();
      };
    };
    if (wanted) end = start();
  };
  let start: (() => () => void) | undefined;
  const show = (open?: boolean) => {
    if (open !== undefined) {
      wanted = open;
      setOpen(shell, open);
    }
    if (!wanted) {
      end?.();
      end = undefined;
    } else if (start) end ??= start();
    if (open === false || panel) return;
    make().catch(() => {
      if (wanted) shell.replaceChildren(button("retry", () => show(wanted), host.text("retry")));
    });
  };
  const remove = () => {
    show(false);
    extras?.end();
  };
  return [show, remove] as const;
}
