/** The keys of the feed pattern (WAI-ARIA Authoring Practices), with arrows for Page Up and Down. */

/** The index that a key moves to from `at`, perhaps outside the list; undefined for any other key. */
export function stepOf(event: KeyboardEvent, at: number, last: number): number | undefined {
  const steps: Record<string, number> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    PageDown: at + 5,
    PageUp: at - 5,
    Home: 0,
    End: last,
  };
  return event.altKey || event.ctrlKey || event.metaKey ? undefined : steps[event.key];
}
