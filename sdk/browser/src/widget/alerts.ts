/** The sound of a new notification, and the count in the title of the page. A page that uses one of them loads both. */

import type { Counts, Inbox } from "../client/types.js";
import { hasLeft } from "./leaving.js";
import { first, limited } from "./speaker.js";

let audio: AudioContext | undefined;

/** Plays two short soft notes. Without an earlier gesture of the user browsers forbid it, and nothing happens. */
export async function chime(): Promise<void> {
  if (!navigator.userActivation?.hasBeenActive) return;
  audio ??= new AudioContext();
  await audio.resume();
  const start = audio.currentTime;
  for (const [index, frequency] of [660, 880].entries()) {
    const at = start + index * 0.11;
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.12, at + 0.015);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.35);
    tone.connect(volume).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.4);
  }
}

/** Plays the sound for each new notification above low priority, on one tab of the user. */
export function soundFor(client: Inbox): () => void {
  return client.on("notification", ({ item, replayed }) => {
    const { id, priority } = item.notification;
    if (!replayed && priority !== "low" && client.leads && first("sound", id)) void chime();
  });
}

/** Puts the number of unread notifications before the page's title: "(3) Orders". */
export function titleFor(client: Inbox): () => void {
  const write = (counts: Counts | undefined) => {
    const title = document.title.replace(/^\(\d+\+?\) /, "");
    document.title = counts?.unread ? `(${limited(counts.unread)}) ${title}` : title;
  };
  write(client.counts);
  const stops = [
    client.on("counts", write),
    client.on("status", (change) => {
      if (hasLeft(change)) write(undefined);
    }),
  ];
  return () => {
    for (const stop of stops) stop();
    write(undefined);
  };
}
