import type { LOCK_METHODS } from "./lock.ts";
import type { WireMethod, WireMethods } from "./wire.ts";
import { readBoolean, readCount, readRecord, readText } from "./wire_shapes.ts";

/** The lock contract on the wire. */
export const LOCK_WIRE: WireMethods & Readonly<Record<(typeof LOCK_METHODS)[number], WireMethod>> = {
  acquire: { read: (answer) => answer === undefined ? undefined : readHeld(answer) },
  renew: { read: readBoolean },
  release: { read: readBoolean },
};

function readHeld(answer: unknown) {
  const { token, fence, ttlMs } = readRecord(answer);
  return { token: readText(token), fence: readCount(fence), ttlMs: readCount(ttlMs) };
}
