"use client";
/** The rows of `<Inbox>` with the content of a function that returns React nodes. */

import { Component, createElement, type ReactNode, useEffect, useRef, useState } from "react";
import { createPortal, flushSync } from "react-dom";
import type { Item } from "../client/types.js";
import type { TidingsInbox } from "../widget/index.js";

/** Reports a fault in the content of a row, and shows nothing in its place. */
class Guard extends Component<{ readonly children?: ReactNode; fail(error: unknown): void }> {
  override state = { isBroken: false };

  static getDerivedStateFromError() {
    return { isBroken: true };
  }

  override componentDidCatch(error: unknown) {
    this.props.fail(error);
  }

  override render() {
    return !this.state.isBroken && this.props.children;
  }
}

/** The content of the rows of an element. A broken row is as usual. */
export function useRows(
  element: { readonly current: TidingsInbox | null },
  render: ((item: Item) => ReactNode) | undefined,
): ReactNode {
  const [rows] = useState(() => new Map<string, { readonly item: Item; readonly node: HTMLElement }>());
  const [broken] = useState(() => new Map<string, unknown>());
  const [, turn] = useState(0);
  const latest = useRef(render);
  latest.current = render;
  const isOn = render !== undefined;
  useEffect(() => {
    const target = element.current;
    if (!target || !isOn) return;
    let asked = false;
    const later = () => {
      if (asked) return;
      asked = true;
      // Before the frame is painted.
      queueMicrotask(() => {
        asked = false;
        flushSync(() => turn((count) => count + 1));
      });
    };
    const removals = new MutationObserver(() => {
      for (const [id, { node }] of rows) if (!target.contains(node) && rows.delete(id)) later();
    });
    removals.observe(target, { childList: true });
    target.renderItem = (item) => {
      const { id } = item.notification;
      if (broken.has(id)) throw broken.get(id);
      if ((latest.current?.(item) ?? undefined) === undefined) return undefined;
      const node = rows.get(id)?.node ?? document.createElement("div");
      rows.set(id, { item, node });
      later();
      return node;
    };
    return () => {
      removals.disconnect();
      target.renderItem = undefined;
      rows.clear();
    };
  }, [element, isOn, rows, broken]);
  if (!render) return undefined;
  return [...rows].map(([id, { item, node }]) => {
    const fail = (error: unknown) => {
      broken.set(id, error);
      rows.delete(id);
      // Another function of the same kind: the element renders its rows again.
      const again = element.current?.renderItem;
      if (again && element.current) element.current.renderItem = (each) => again(each);
    };
    return createPortal(createElement(Guard, { fail }, createElement(Content, { item, render })), node, id);
  });
}

function Content({ item, render }: { readonly item: Item; readonly render: (item: Item) => ReactNode }) {
  return render(item);
}
