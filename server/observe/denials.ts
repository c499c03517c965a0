import type { AuditActor, AuditEntry } from "./audit_event.ts";

/** Denials that are events of their own, in an hour, and failures of one actor; what comes after is counted. */
export const DENIALS_MAX = 1_000;

/** Actors whose failures are counted; the oldest are forgotten first. */
const ACTORS_MAX = 1_000;

const HOUR_MS = 3_600_000;

const NOBODY: AuditActor = { id: null, username: null, address: "" };

interface Tally {
  readonly actor: AuditActor;
  readonly outcome: AuditEntry["outcome"];
  hour: number;
  told: number;
  untold: number;
}

/**
 * Bounds what those who are refused, or ask for what cannot be, can make the audit log keep: else they could have it forget
 * what was done. Denials are nobody's; failures are those of one actor, so that nobody can hide another's.
 */
export class Denials {
  readonly #tallies = new Map<string, Tally>();

  /** Whether another one is told as such. Otherwise it is counted. */
  admits(entry: AuditEntry, nowMs: number): boolean {
    const tally = this.#tallyOf(entry);
    const hour = Math.floor(nowMs / HOUR_MS);
    if (hour !== tally.hour) [tally.hour, tally.told] = [hour, 0];
    if (tally.told++ < DENIALS_MAX) return true;
    tally.untold++;
    return false;
  }

  /** What tells how many were counted since this was asked last. */
  takeUntold(): AuditEntry[] {
    const told = [...this.#tallies.values()].filter(({ untold }) => untold > 0);
    return told.map((tally) => {
      const { actor, outcome, untold: count } = tally;
      tally.untold = 0;
      const action = outcome === "denied" ? "denials" : "failures";
      return { actor, action, target: "", outcome, detail: { count } };
    });
  }

  #tallyOf({ actor: { id, username }, outcome }: AuditEntry): Tally {
    const actor = outcome === "denied" ? NOBODY : { id, username, address: "" };
    const key = JSON.stringify([outcome, actor.id]);
    const tally = this.#tallies.get(key) ?? { actor, outcome, hour: 0, told: 0, untold: 0 };
    this.#tallies.set(key, tally);
    if (this.#tallies.size > ACTORS_MAX) this.#tallies.delete(this.#tallies.keys().next().value!);
    return tally;
  }
}
