/**
 * The client's side of the protocol as a pure state machine: frames in, events and frames out.
 *
 * It uses no socket and no clock. A session spans many connections. Each tab that shares a connection has one: all
 * tabs process the same frames, so any of them can continue where the leader ended.
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

/** The state that a following tab needs from the leading tab. */
export interface Snapshot {
  readonly point: ResumePoint;
  /** Undefined before the leader's first welcome. */
  readonly user: string | undefined;
  readonly counts: Counts | undefined;
  /** The leader is catching up. */
  readonly missed: boolean;
}

/** A frame of a topic. Topics have positions of their own: the session passes their frames on. */
export interface OfTopic {
  readonly type: "topic";
  readonly frame: ServerFrame;
}

/** Logs per `ack` frame. With names of 128 characters the frame stays far below its limit. */
const LOGS_PER_ACK = 200;

export class Session {
  declare user: string | undefined;
  declare counts: Counts | undefined;
  #epoch: string | undefined;
  #positions: Record<string, number> = {};
  #acked: Record<string, number> = {};
  /** The state version of the last `state` frame. */
  #stateVersion: number | undefined;
  /** True until a resumed connection has caught up. Until then, answers to marks may arrive before missed changes. */
  #missed = false;
  /** Positions that `counts` include already, from a page of the inbox. Their frames may still arrive. */
  #counted: Positions = {};

  /** The first frame of a new connection. The last `ack` of the old one may be lost, so all is acknowledged again. */
  connect(token: string, device: string | undefined, client: string): string {
    this.#acked = {};
    // The server replays a log without a position from its start, and this session drops the duplicates. So if
    // the frame has no room for all logs, those with the lowest positions are left out: they replay the least.
    const logs = Object.entries(this.#positions).sort((one, other) => other[1] - one[1]);
    let room = FRAME_BYTES - TOKEN_BYTES - 1_000;
    const named = logs.filter(([log]) => {
      room -= log.length + 20;
      return room > 0;
    });
    const resume = this.#epoch && {
      epoch: this.#epoch,
      positions: Object.fromEntries(named),
      state_version: this.#stateVersion,
    };
    // JSON leaves out undefined values.
    return JSON.stringify({ type: "connect", token, client, device, resume } as Connect);
  }

  /** Returns a new frame, and undefined for a duplicate. Throws if the text is not a frame. */
  receive(text: string): ServerFrame | OfTopic | undefined {
    const frame = JSON.parse(text) as ServerFrame;
    const { log, positions = {} } = frame as { readonly log?: string; readonly positions?: Positions };
    // `caught_up` has either the one topic, or all logs of the inbox.
    if (/^topic:/.test(log ?? Object.keys(positions).join())) return { type: "topic", frame };
    switch (frame.type) {
      case "welcome":
        this.#welcome(frame);
        break;
      case "notification": {
        const { log, position } = frame;
        if (position <= (this.#positions[log] ?? 0)) return undefined;
        this.#positions[log] = position;
        // A notification has no counts. The counts of the welcome include replayed notifications.
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
        // In the new epoch the log can be shorter than the known position.
        if (frame.reason === "epoch") this.#positions[frame.log] = frame.to;
        else advance(this.#positions, { [frame.log]: frame.to });
        break;
      case "joined":
        advance(this.#positions, { [frame.log]: frame.position });
        break;
      case "recalled":
        this.recount(frame.counts);
        break;
      case "state":
        this.recount(frame.counts);
        if (!this.#missed) this.#stateVersion = Math.max(this.#stateVersion ?? 0, frame.state_version);
    }
    return frame;
  }

  #welcome(frame: Welcome): void {
    const newEpoch = frame.epoch !== this.#epoch;
    this.user = frame.user;
    if (newEpoch) {
      // Positions and versions of another epoch are void. The server reports the loss with `gap` frames.
      this.#epoch = frame.epoch;
      this.#positions = { ...frame.positions };
      this.#counted = {};
      this.counts = undefined;
    } else {
      advance(this.#positions, frame.positions);
    }
    this.#missed = !newEpoch && this.#stateVersion !== undefined && frame.resume !== "none";
    if (newEpoch || this.#stateVersion === undefined) this.#stateVersion = frame.state_version;
    this.recount(frame.counts);
  }

  /** Takes counts if they are not older than the known ones, and returns whether it did. */
  recount(counts: Counts): boolean {
    const newer = !this.counts || counts.version >= this.counts.version;
    if (newer) this.counts = counts;
    return newer;
  }

  /** Takes the counts of a page. Returns false if the page is older than a `state` frame: request it again. */
  listed(page: InboxPage): boolean {
    if (this.#epoch === undefined || page.epoch === this.#epoch) {
      if (this.recount(page.counts)) this.#counted = page.positions;
      return page.state_version >= (this.#stateVersion ?? 0);
    }
    return true;
  }

  /** The frames that acknowledge all positions without an `ack` on this connection. */
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

  /** Where a later visit resumes; undefined before the first welcome. */
  point(): ResumePoint | undefined {
    return this.#epoch === undefined
      ? undefined
      : { epoch: this.#epoch, positions: { ...this.#positions }, state_version: this.#stateVersion ?? 0 };
  }

  /** Resumes an earlier visit. After a first welcome it does nothing. */
  restore(point: ResumePoint | undefined): void {
    if (this.#epoch === undefined && isPoint(point)) this.#goOn(point);
  }

  #goOn({ epoch, positions, state_version }: ResumePoint): void {
    this.#epoch = epoch;
    this.#positions = { ...positions };
    this.#stateVersion = state_version;
  }

  /** The state for following tabs; undefined before the first welcome. */
  snapshot(): Snapshot | undefined {
    const point = this.point();
    return point && { point, user: this.user, counts: this.counts, missed: this.#missed };
  }

  /** Takes the state of the leading tab. Returns whether this tab missed frames since it last followed. */
  follow({ point, user, counts, missed }: Snapshot): boolean {
    const newEpoch = point.epoch !== this.#epoch;
    const behind =
      this.user !== undefined &&
      (newEpoch ||
        point.state_version > (this.#stateVersion ?? 0) ||
        isAhead(point.positions, this.#positions));
    if (newEpoch) this.counts = undefined;
    if (counts) this.recount(counts);
    this.user = user ?? this.user;
    this.#missed = missed;
    this.#goOn(point);
    return behind;
  }
}

/** Whether a stored value is a resume point. The server refuses a client for good that sends a malformed one. */
function isPoint(point: unknown): point is ResumePoint {
  const { epoch, positions, state_version } = (point ?? {}) as Partial<ResumePoint>;
  return (
    typeof epoch === "string" &&
    [state_version, ...Object.values(positions ?? [null])].every(
      (value) => Number.isSafeInteger(value) && (value as number) >= 0,
    )
  );
}

/** Whether `one` has a higher position than `other` in any log. */
export function isAhead(one: Positions, other: Positions): boolean {
  return Object.entries(one).some(([log, position]) => position > (other[log] ?? 0));
}

function advance(positions: Record<string, number>, to: Positions): void {
  for (const [log, position] of Object.entries(to)) positions[log] = Math.max(positions[log] ?? 0, position);
}
