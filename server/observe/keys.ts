/**
 * Every key that is kept in the registry's store of what has happened, drawn here and built nowhere else.
 *
 * ```text
 * audit/<hour>/<first id>.<last id>.<count>   so many events of that hour, from the first to the last; JSON lines
 * ```
 *
 * Ids sort by time. All events of an object are of its hour (`2026-01-31T14`).
 *
 * @module
 */

export const AUDIT_PREFIX = "audit/";

/** An object of events, as its key describes it. */
export interface AuditBatch {
  readonly key: string;
  /** The id of its first event. */
  readonly first: string;
  /** The id of its last. */
  readonly last: string;
  readonly count: number;
}

export function auditHourPrefix(ms: number): string {
  return `${AUDIT_PREFIX}${new Date(ms).toISOString().slice(0, 13)}/`;
}

export function auditKey(
  ms: number,
  { first, last, count }: Omit<AuditBatch, "key">,
): string {
  return `${auditHourPrefix(ms)}${first}.${last}.${count}`;
}

/** The object that a key is of; `undefined` for one that is of none. */
export function parseAuditKey(key: string): AuditBatch | undefined {
  const [, first, last, count] = /^audit\/[^/]+\/([0-9a-f]+)\.([0-9a-f]+)\.([0-9]+)$/.exec(key) ?? [];
  return count === undefined ? undefined : { key, first: first!, last: last!, count: Number(count) };
}
