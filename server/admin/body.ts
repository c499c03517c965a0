import type { Call } from "../api/endpoint.ts";
import { OciError } from "../oci/error.ts";
import { parseJson } from "../oci/json.ts";
import { readAll } from "../registry/bytes.ts";

/** The members of a request's JSON object. */
export interface Fields {
  /** What `read` makes of a member; refused where it is missing, or `read` answers `undefined`. */
  required<T>(name: string, read: (value: unknown) => T | undefined): T;
  /** The same of a member that may be left out. */
  optional<T>(name: string, read: (value: unknown) => T | undefined): T | undefined;
  /** The error for a member that does not fit. */
  refuse(name: string, reason: string): OciError;
}

const BODY_BYTES_MAX = 64 * 1024;

/**
 * How long all of it may take, in milliseconds. Whether its sender may do this was decided before it: who is disabled
 * meanwhile has no longer than that.
 */
const BODY_MS_MAX = 10_000;

/** What requests carried, for whoever is to say later what was asked. */
const given = new WeakMap<Call, Readonly<Record<string, unknown>>>();

/** The JSON object that a request was found to carry, its secrets too; `undefined`: none was read. */
export function givenFields(call: Call): Readonly<Record<string, unknown>> | undefined {
  return given.get(call);
}

/** The JSON object that a request carries. One with members that are not in `known` is refused: they may be meant. */
export async function readFields(call: Call, known: readonly string[]): Promise<Fields> {
  const { body, headers } = call;
  const type = headers.get("Content-Type")?.replace(/;.*/, "").trim().toLowerCase();
  if (type !== "application/json" || !body) throw malformed("expected a body of application/json");
  const reading = readAll(body, BODY_BYTES_MAX, () => malformed(`at most ${BODY_BYTES_MAX} bytes`, 413));
  const bytes = await inTime(reading);
  const value = parseObject(decode(bytes));
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined) throw malformed(`unknown member ${JSON.stringify(unknown.slice(0, 100))}`);
  given.set(call, value);
  const refuse = (name: string, reason: string) => malformed(`${name}: ${reason}`);
  const optional = <T>(name: string, read: (value: unknown) => T | undefined) => {
    if (!Object.hasOwn(value, name)) return undefined;
    const item = read(value[name]);
    if (item === undefined) throw refuse(name, "it does not fit");
    return item;
  };
  return {
    optional,
    refuse,
    required(name, read) {
      const item = optional(name, read);
      if (item === undefined) throw refuse(name, "it is missing");
      return item;
    },
  };
}

async function inTime<T>(reading: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(malformed("it takes too long", 408)), BODY_MS_MAX);
  // Nobody may be left to hear that it breaks off.
  reading.catch(() => {});
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw malformed("it is not UTF-8");
  }
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value = parseJson(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch (error) {
    throw malformed((error as Error).message.slice(0, 100));
  }
  throw malformed("expected an object");
}

function malformed(reason: string, status = 400): OciError {
  return new OciError("UNSUPPORTED", `Cannot read the request: ${reason}`, { status });
}
