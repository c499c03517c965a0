import type { JsonObject, JsonValue } from "../../plugins/contract/identity.ts";

/** Largest report that is kept, in characters of JSON. */
export const REPORT_LENGTH_MAX = 1024 * 1024;

/**
 * A report that is small enough to be kept. Of its lists, the longest first, only the beginning stays; then the member `cut`
 * says, by their names, how many entries each lost. One that is too large all the same is replaced by the count of its characters.
 */
export function boundReport(report: object): JsonObject {
  const members = JSON.parse(JSON.stringify(report)) as Record<string, JsonValue>;
  let length = lengthOf(members);
  if (length <= REPORT_LENGTH_MAX) return members;
  const cut: Record<string, number> = {};
  const lists = Object.entries(members)
    .flatMap(([name, value]) => Array.isArray(value) ? [{ name, value, length: lengthOf(value) }] : [])
    .toSorted((a, b) => b.length - a.length);
  for (const list of lists) {
    if (length <= LENGTH_CUT_TO) break;
    const kept = beginning(list.value, Math.max(0, list.length - (length - LENGTH_CUT_TO)));
    members[list.name] = kept;
    cut[list.name] = list.value.length - kept.length;
    length -= list.length - lengthOf(kept);
  }
  return length <= LENGTH_CUT_TO ? { ...members, cut } : { cut_length: lengthOf(report) };
}

/** Leaves room for what says how much was cut. */
const LENGTH_CUT_TO = REPORT_LENGTH_MAX - 64 * 1024;

function beginning(list: readonly JsonValue[], lengthMax: number): JsonValue[] {
  let length = 2;
  const end = list.findIndex((item) => (length += lengthOf(item) + 1) > lengthMax);
  return end < 0 ? [...list] : list.slice(0, end);
}

function lengthOf(value: unknown): number {
  return JSON.stringify(value).length;
}
