/**
 * The client's side of the protocol as a pure state machine: frames in, what to tell and to send out.
 *
 * It knows neither socket nor clock. One session lives through many connections, and on every tab that
 * shares them: all tabs see the same frames, so any of them can go on where the leader ended.
 */

import {
  type Ack,
  type Connect,
  type Counts,
  FRAME_BYTES,
  type InboxPage,
  type Positions,
  type ServerFrame,
  TOKEN_BYTES,
  type Welcome,
} from "../protocol.js";
import type { ResumePoint } from "./types.js";

/** What a tab needs to follow where another one leads. */
export interface Snapshot {
  readonly point: ResumePoint;
  /** Undefined before the leader's first welcome. */
  readonly user: string | undefined;
  readonly counts: Counts | undefined;
  /** It is catching up. */
  readonly missed: boolean;
}

/** Names of 128 characters, this many, stay well below the limit of a frame. */
const LOGS_PER_ACK = 200;

export class Session {
  user: string | undefined;
  counts: Counts | undefined;
  #epoch: string | undefined;
  #positions: Record<string, number> = {};
  #acked: Record<string, number> = {};
  /** The last change of state that was told. */
  #told: number | undefined;
  /** Until a resumed connection has caught up, a mark may be answered ahead of what was missed. */
  #missed = false;
  /** What `counts` hold already although it may still arrive: they came with a page of the inbox. */
  #counted: Positions = {};

  /** The first frame of a new connection. What an old one acknowledged last may be lost: again. */
  connect(token: string, device: string | undefined, client: string): string {
    this.#acked = {};
    // A log that is not named is replayed from its beginning, and its duplicates are dropped here. So
    // where a frame cannot hold them all, those with the least to replay are left out.
    const logs = Object.entries(this.#positions).sort((one, other) => other[1] - one[1]);
    let room = FRAME_BYTES - TOKEN_BYTES - 1_000;
    const named = logs.filter(([log]) => {
      room -= log.length + 20;
      return room > 0;
    });
    const resume = this.#epoch && {
      epoch: this.#epoch,
      positions: Object.fromEntries(named),
      state_version: this.#told,
    };
    // What is undefined is left out of JSON.
    return JSON.stringify({ type: "connect", token, client, device, resume } as Connect);
  }

  /** A frame that is to be told; undefined for one that was told before. Throws where it is none. */
  receive(text: string): ServerFrame | undefined {
    const frame = JSON.parse(text) as ServerFrame;
    switch (frame.type) {
      case "welcome":
        this.#welcome(frame);
        break;
      case "notification": {
        const { log, position } = frame;
        if (position <= (this.#positions[log] ?? 0)) return undefined;
        this.#positions[log] = position;
        // A notification brings no counts. What was missed is in those of the welcome.
        if (this.counts && !frame.replayed && position > (this.#counted[log] ?? 0)) {
          const { unseen, unread, version } = this.counts;
          this.counts = { unseen: unseen + 1, unread: unread + 1, version: version + 1 };
        }
        break;
      }
      case "caught_up":
        advance(this.#positions, frame.positions);
        this.#missed = false;
        break;
      case "gap":
        // It starts at the end of a log that is shorter than was known.
        if (frame.reason === "epoch") this.#positions[frame.log] = frame.to;
        else advance(this.#positions, { [frame.log]: frame.to });
        break;
      case "joined":
        advance(this.#positions, { [frame.log]: frame.position });
        break;
      case "recalled":
        this.count(frame.counts);
        break;
      case "state":
        this.count(frame.counts);
        if (!this.#missed) this.#told = Math.max(this.#told ?? 0, frame.state_version);
        break;
    }
    return frame;
  }

  #welcome(frame: Welcome): void {
    const anew = frame.epoch !== this.#epoch;
    this.user = frame.user;
    if (anew) {
      // Positions and versions of another epoch mean nothing; the server names the loss in gaps.
      this.#epoch = frame.epoch;
      this.#positions = { ...frame.positions };
      this.counts = undefined;
      this.#counted = {};
    } else {
      advance(this.#positions, frame.positions);
    }
    this.#missed = !anew && this.#told !== undefined && frame.resume !== "none";
    if (anew || this.#told === undefined) this.#told = frame.state_version;
    this.count(frame.counts);
  }

  /** Counts came, perhaps older than those known. True where they are the newest. */
  count(counts: Counts): boolean {
    const newer = !this.counts || counts.version >= this.counts.version;
    if (newer) this.counts = counts;
    return newer;
  }

  /** A page of the inbox came. False where it is older than what was told since: ask again. */
  listed(page: InboxPage): boolean {
    if (this.#epoch === undefined || page.epoch === this.#epoch) {
      if (this.count(page.counts)) this.#counted = page.positions;
      return page.state_version >= (this.#told ?? 0);
    }
    return true;
  }

  /** The frames that acknowledge all that arrived and was not acknowledged on this connection yet. */
  acks(): string[] {
    const due = Object.entries(this.#positions).filter(
      ([log, position]) => position > (this.#acked[log] ?? 0),
    );
    this.#acked = { ...this.#positions };
    const frames = [];
    while (due.length) {
      const ack: Ack = { type: "ack", positions: Object.fromEntries(due.splice(0, LOGS_PER_ACK)) };
      frames.push(JSON.stringify(ack));
    }
    return frames;
  }

  /** Where a later visit goes on; undefined before the first welcome. */
  point(): ResumePoint | undefined {
    return this.#epoch === undefined
      ? undefined
      : { epoch: this.#epoch, positions: { ...this.#positions }, state_version: this.#told ?? 0 };
  }

  /** Goes on from an earlier visit. Nothing where a connection stood already. */
  restore(point: ResumePoint | undefined): void {
    if (this.#epoch === undefined && isPoint(point)) this.#goOn(point);
  }

  #goOn({ epoch, positions, state_version }: ResumePoint): void {
    this.#epoch = epoch;
    this.#positions = { ...positions };
    this.#told = state_version;
  }

  /** What another tab needs to follow; undefined where this one knows of nothing itself. */
  snapshot(): Snapshot | undefined {
    const point = this.point();
    return point && { point, user: this.user, counts: this.counts, missed: this.#missed };
  }

  /** Goes on where the leading tab is. True where something was missed since this one last followed. */
  follow({ point, user, counts, missed }: Snapshot): boolean {
    const anew = point.epoch !== this.#epoch;
    const behind =
      this.user !== undefined &&
      (anew || point.state_version > (this.#told ?? 0) || isAhead(point.positions, this.#positions));
    if (anew) this.counts = undefined;
    if (counts) this.count(counts);
    this.user = user ?? this.user;
    this.#missed = missed;
    this.#goOn(point);
    return behind;
  }
}

/** Whether what was kept is a resume point: the server would turn away for good who names another one. */
function isPoint(point: unknown): point is ResumePoint {
  const { epoch, positions, state_version } = (point ?? {}) as Partial<ResumePoint>;
  return (
    typeof epoch === "string" && [state_version, ...Object.values(positions ?? [null])].every(isPosition)
  );
}

function isPosition(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Whether some log stands further on in `one` than in `other`. */
export function isAhead(one: Positions, other: Positions): boolean {
  return Object.entries(one).some(([log, position]) => position > (other[log] ?? 0));
}

function advance(positions: Record<string, number>, to: Positions): void {
  for (const [log, position] of Object.entries(to)) positions[log] = Math.max(positions[log] ?? 0, position);
}
