/** Who did something: what the registry took them for, and where they came from. */
export interface AuditActor {
  readonly id: string | null;
  readonly username: string | null;
  /** Empty for what the registry does by itself. */
  readonly address: string;
}

/** How it ended: it was done, it was not allowed, or it was allowed and did not come about. */
export const AUDIT_OUTCOMES = ["done", "denied", "failed"] as const;

/** One of them. */
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

/** Something that was done, or tried. Nothing of it is ever a secret. */
export interface AuditEntry {
  readonly actor: AuditActor;
  /** The action, as policies name it; `sign-in` for a credential that was refused. */
  readonly action: string;
  /** What it was done to: `team/app:v1`, `tokens/<id>`; may be empty. */
  readonly target: string;
  readonly outcome: AuditOutcome;
  /** What else there is to say: plain JSON. */
  readonly detail: Readonly<Record<string, unknown>>;
}

/** An entry as it is kept. */
export interface AuditEvent extends AuditEntry {
  /** Sorts by time, and is no other event's, of whatever replica. */
  readonly id: string;
  /** When: ISO 8601. */
  readonly at: string;
}

const TIME_DIGITS = 11;

/** Ids of events: their time, then this replica's mark, then a number. They ascend, though the clock may be set back. */
export class AuditIds {
  readonly #mark = crypto.getRandomValues(new Uint8Array(3)).toHex();
  #ms = 0;
  #count = 0;

  /** The next one. */
  next(): string {
    const nowMs = Date.now();
    if (nowMs > this.#ms || this.#count === 0xffff) {
      this.#ms = Math.max(nowMs, this.#ms + 1);
      this.#count = 0;
    }
    return formatTime(this.#ms) + this.#mark + (this.#count++).toString(16).padStart(4, "0");
  }
}

/** What stands before every id of that moment or a later one. */
export function idFloor(ms: number): string {
  return formatTime(Math.max(0, Math.floor(ms)));
}

/** The greatest id, or floor of a moment, below another of the same form. */
export function idBefore(id: string): string {
  return (BigInt(`0x${id}`) - 1n).toString(16).padStart(id.length, "0");
}

/** The moment of an id. */
export function timeOfId(id: string): number {
  return parseInt(id.slice(0, TIME_DIGITS), 16);
}

/** Whether a text can be where to go on from: an id, or what stands before or after some. */
export function isAuditCursor(text: string): boolean {
  return /^[0-9a-f]{11,40}~?$/.test(text);
}

function formatTime(ms: number): string {
  return ms.toString(16).padStart(TIME_DIGITS, "0");
}
