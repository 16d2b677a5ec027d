"use client";
/** Tidings in React: a provider, the inbox as a hook, and the widget as a component. */

import {
  type CSSProperties,
  createContext,
  createElement,
  type DetailedHTMLProps,
  type HTMLAttributes,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import { Tidings } from "../client/index.js";
import type { Inbox as Client, State, TidingsOptions } from "../client/types.js";
import "../widget/index.js";
import type {
  Filter,
  Messages,
  OpenDetail,
  Snapshot,
  TidingsElement,
  TidingsInbox,
  TidingsToasts,
} from "../widget/index.js";
import { Feed } from "../widget/parts.js";

/** What both elements take in TSX, as attributes and as properties. */
interface ElementProps<Element extends TidingsElement>
  extends DetailedHTMLProps<HTMLAttributes<Element>, Element> {
  readonly url?: string;
  readonly "token-url"?: string;
  readonly "realtime-url"?: string;
  readonly theme?: "light" | "dark";
  readonly sound?: boolean;
  readonly client?: Client;
  readonly messages?: Partial<Messages>;
  readonly "ontidings-open"?: (event: CustomEvent<OpenDetail>) => void;
}

/** `<tidings-inbox>` and `<tidings-toasts>` in TSX, from React 19 on. */
declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "tidings-inbox": ElementProps<TidingsInbox> & {
        readonly mode?: "page";
        readonly badge?: "unread" | "unseen";
        readonly toasts?: boolean;
        readonly "title-badge"?: boolean;
      };
      "tidings-toasts": ElementProps<TidingsToasts> & { readonly position?: "top" };
    }
  }
}

/** What is shown before there is anything: on a server, and where its page comes to life. */
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
 * Gives everything inside it one client: an application's own, which it connects and closes itself, or one
 * made from the options of `Tidings`, which is connected while the provider is there. Options are read once.
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

/** The client of the provider around; it throws where there is none. */
export function useTidings(): Client {
  const client = useContext(Context);
  if (!client) throw new Error("There is no <TidingsProvider> around this component.");
  return client;
}

/** The live inbox with what can be done to it. */
export interface LiveInbox extends Snapshot {
  show(filter: Filter): void;
  loadMore(): Promise<void>;
  reload(): Promise<void>;
  mark(state: State, ids: readonly string[]): void;
  markAllRead(): void;
  /** The reader knows what is missing: `missed` begins anew. */
  dismissMissed(): void;
}

/** The inbox, live: it renders anew at most once a frame, however much comes in. */
export function useInbox(filter: Filter = "all"): LiveInbox {
  const client = useTidings();
  const [first] = useState(filter);
  const feed = useMemo(() => new Feed(client, first), [client, first]);
  const { subscribe, read, ...actions } = useMemo(
    () => ({
      subscribe: feed.subscribe.bind(feed),
      read: () => feed.snapshot,
      show: feed.show.bind(feed),
      loadMore: feed.loadMore.bind(feed),
      reload: feed.reload.bind(feed),
      mark: feed.mark.bind(feed),
      markAllRead: feed.markAllRead.bind(feed),
      dismissMissed: feed.dismissMissed.bind(feed),
    }),
    [feed],
  );
  const snapshot = useSyncExternalStore(subscribe, read, () => BLANK);
  useEffect(() => feed.show(filter), [feed, filter]);
  return { ...snapshot, ...actions };
}

export interface InboxProps {
  readonly mode?: "page";
  readonly theme?: "light" | "dark";
  readonly badge?: "unread" | "unseen";
  readonly toasts?: boolean;
  readonly sound?: boolean;
  readonly titleBadge?: boolean;
  readonly lang?: string;
  readonly dir?: "ltr" | "rtl";
  readonly messages?: Partial<Messages>;
  readonly className?: string;
  readonly style?: CSSProperties;
  /** A notification or one of its actions was opened; `preventDefault()` keeps its link from being followed. */
  readonly onOpen?: (event: CustomEvent<OpenDetail>) => void;
  /** What goes into the slots, by `slot="bell"`, `head`, `empty` or `foot`. */
  readonly children?: ReactNode;
}

const ON = "";

/** `<tidings-inbox>` with the provider's client. */
export function Inbox({
  toasts,
  sound,
  titleBadge,
  messages,
  onOpen,
  children,
  className,
  ...rest
}: InboxProps): ReactNode {
  const client = useTidings();
  const element = useRef<TidingsInbox>(null);
  useEffect(() => {
    if (element.current) Object.assign(element.current, { client, messages: messages ?? {} });
  }, [client, messages]);
  useEffect(() => {
    const target = element.current;
    const report = (event: CustomEvent<OpenDetail>) => onOpen?.(event);
    target?.addEventListener("tidings-open", report);
    return () => target?.removeEventListener("tidings-open", report);
  }, [onOpen]);
  return createElement(
    "tidings-inbox",
    {
      ...rest,
      ref: element,
      class: className,
      toasts: toasts ? ON : undefined,
      sound: sound ? ON : undefined,
      "title-badge": titleBadge ? ON : undefined,
    },
    children,
  );
}
