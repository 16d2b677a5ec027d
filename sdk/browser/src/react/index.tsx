"use client";
/** Tidings for React: a provider, the inbox as a hook, and the widget as a component. */

import {
  createContext,
  createElement,
  type DetailedHTMLProps,
  forwardRef,
  type HTMLAttributes,
  type ReactNode,
  useContext,
  useEffect,
  useImperativeHandle,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import { Tidings } from "../client/index.js";
import type { Inbox as Client, Item, State, TidingsOptions } from "../client/types.js";
import "../widget/index.js";
import { Feed } from "../widget/feed.js";
import type {
  Filter,
  Messages,
  OpenDetail,
  Snapshot,
  TabOption,
  TidingsElement,
  TidingsInbox,
  TidingsToasts,
  ToggleDetail,
} from "../widget/index.js";
import { useRows } from "./rows.js";

type Placement = "bottom" | "top" | "bottom-start" | "top-start" | "bottom-end" | "top-end";

/** The attributes and properties of both elements in TSX. */
interface ElementProps<Element extends TidingsElement>
  extends DetailedHTMLProps<HTMLAttributes<Element>, Element> {
  readonly url?: string;
  readonly "token-url"?: string;
  readonly "realtime-url"?: string;
  readonly theme?: "light" | "dark" | "auto";
  readonly sound?: boolean;
  readonly client?: Client;
  readonly messages?: Partial<Messages>;
  readonly "ontidings-open"?: (event: CustomEvent<OpenDetail>) => void;
  readonly "ontidings-toggle"?: (event: CustomEvent<ToggleDetail>) => void;
}

/** `<tidings-inbox>` and `<tidings-toasts>` in TSX, from React 19 on. */
declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "tidings-inbox": ElementProps<TidingsInbox> & {
        readonly mode?: "page";
        readonly placement?: Placement;
        readonly offset?: number;
        readonly badge?: "unread" | "unseen";
        readonly toasts?: boolean;
        readonly "title-badge"?: boolean;
        readonly tabs?: string | readonly TabOption[];
        readonly icons?: string | Readonly<Record<string, string>>;
        readonly "image-origins"?: string;
        readonly markdown?: boolean;
      };
      "tidings-toasts": ElementProps<TidingsToasts> & { readonly position?: "top" };
    }
  }
}

/** The snapshot of a render on a server, and of its hydration. */
const BLANK: Snapshot = {
  filter: "all",
  items: [],
  phase: "loading",
  more: false,
  stuck: false,
  missed: undefined,
  counts: undefined,
  status: "idle",
};

const Context = createContext<Client | undefined>(undefined);

/**
 * Provides one client to the components inside it: an application's own, which the application connects and closes,
 * or one from the options of `Tidings`, which is connected while the provider is mounted. Options are read once.
 */
export function TidingsProvider({
  children,
  ...given
}: ({ readonly client: Client } | TidingsOptions) & { readonly children?: ReactNode }): ReactNode {
  const [made] = useState(() => ("client" in given ? undefined : new Tidings(given)));
  useEffect(() => {
    made?.connect();
    return () => void made?.close();
  }, [made]);
  const client = "client" in given ? given.client : made;
  return <Context.Provider value={client}>{children}</Context.Provider>;
}

/** Returns the client of the provider around this component. Throws without a provider. */
export function useTidings(): Client {
  const client = useContext(Context);
  if (!client) throw new Error("There is no <TidingsProvider> around this component.");
  return client;
}

/** The live inbox and its actions. */
export interface LiveInbox extends Snapshot {
  show(filter: Filter, category?: string): void;
  loadMore(): Promise<void>;
  reload(): Promise<void>;
  mark(state: State, ids: readonly string[]): void;
  /** Marks all as read, or all of the category. Returns the ids that were unread; undefined if not all are loaded. */
  markAllRead(): readonly string[] | undefined;
  /** Archives them, and returns the ids in the same way. */
  archiveAll(): readonly string[] | undefined;
  /** Resets `missed`. Call it when the user has seen the notice. */
  dismissMissed(): void;
}

/**
 * Returns the live inbox, or one category of it; with a final dot the category is a prefix. The component renders at
 * most once a frame, at any rate of notifications.
 */
export function useInbox(filter: Filter = "all", category?: string): LiveInbox {
  const client = useTidings();
  const [first] = useState({ filter, category });
  const feed = useMemo(() => new Feed(client, first.filter, first.category), [client, first]);
  const { subscribe, read, ...actions } = useMemo(
    () => ({
      subscribe: feed.subscribe.bind(feed),
      read: () => feed.snapshot,
      show: feed.show.bind(feed),
      loadMore: feed.loadMore.bind(feed),
      reload: feed.reload.bind(feed),
      mark: feed.mark.bind(feed),
      markAllRead: feed.markAllRead.bind(feed),
      archiveAll: feed.archiveAll.bind(feed),
      dismissMissed: feed.dismissMissed.bind(feed),
    }),
    [feed],
  );
  const snapshot = useSyncExternalStore(subscribe, read, () => BLANK);
  useEffect(() => feed.show(filter, category), [feed, filter, category]);
  return { ...snapshot, ...actions };
}

/** All attributes of an HTML element are passed on, such as `id`, `style`, `aria-*` and `data-*`. */
export interface InboxProps extends HTMLAttributes<TidingsInbox> {
  readonly mode?: "page";
  readonly theme?: "light" | "dark" | "auto";
  readonly placement?: Placement;
  readonly offset?: number;
  readonly badge?: "unread" | "unseen";
  readonly toasts?: boolean;
  readonly sound?: boolean;
  readonly titleBadge?: boolean;
  /** The tabs above the list: `all`, `unread`, `archived`, and categories. */
  readonly tabs?: readonly TabOption[];
  /** The icon of each category, by name or address. Rows of other categories have initials. */
  readonly icons?: Readonly<Record<string, string>>;
  /** The origins from which images of `data` may load, separated by spaces, beside the page's own. */
  readonly imageOrigins?: string;
  /** Shows bold, italic, code and links in the text of notifications. */
  readonly markdown?: boolean;
  /** The content of a row, or undefined for the usual one. It calls no hooks; its components may. */
  readonly renderItem?: (item: Item) => ReactNode;
  readonly messages?: Partial<Messages>;
  /** A reader opened a notification or one of its actions. `preventDefault()` keeps its link from being followed. */
  readonly onOpen?: (event: CustomEvent<OpenDetail>) => void;
  /** The popover was opened or closed. */
  readonly onOpenChange?: (open: boolean) => void;
  /** The content of the slots, by `slot="bell"`, `head`, `empty`, `foot` or `signed-out`. */
  readonly children?: ReactNode;
}

const ON = "";

/** `<tidings-inbox>` with the provider's client. The ref is the element, with `open()` and `close()`. */
export const Inbox = forwardRef<TidingsInbox, InboxProps>(function Inbox(
  {
    toasts,
    sound,
    titleBadge,
    tabs,
    icons,
    imageOrigins,
    markdown,
    renderItem,
    messages,
    onOpen,
    onOpenChange,
    children,
    className,
    ...rest
  },
  ref,
) {
  const client = useTidings();
  const element = useRef<TidingsInbox>(null);
  useImperativeHandle(ref, () => element.current as TidingsInbox, []);
  useEffect(() => {
    if (element.current) Object.assign(element.current, { client, messages: messages ?? {} });
  }, [client, messages]);
  useEffect(() => {
    const target = element.current;
    const report = (event: CustomEvent<OpenDetail>) => onOpen?.(event);
    target?.addEventListener("tidings-open", report);
    return () => target?.removeEventListener("tidings-open", report);
  }, [onOpen]);
  useEffect(() => {
    const target = element.current;
    const report = ({ detail }: CustomEvent<ToggleDetail>) => onOpenChange?.(detail.open);
    target?.addEventListener("tidings-toggle", report);
    return () => target?.removeEventListener("tidings-toggle", report);
  }, [onOpenChange]);
  const rows = useRows(element, renderItem);
  return createElement(
    "tidings-inbox",
    {
      ...rest,
      ref: element,
      class: className,
      toasts: toasts ? ON : undefined,
      sound: sound ? ON : undefined,
      "title-badge": titleBadge ? ON : undefined,
      tabs: tabs && JSON.stringify(tabs),
      icons: icons && JSON.stringify(icons),
      "image-origins": imageOrigins,
      markdown: markdown ? ON : undefined,
    },
    children,
    rows,
  );
});
