import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { argon2id, bcryptVerify } from "hash-wasm";
import { NEW_HASH_COST, PASSWORD_BYTES_MAX } from "@sreg/contract/password.ts";
import { verifyArgon2id } from "./argon2id.ts";

/** The hash of a password, as it is stored. */
export interface PasswordHash {
  readonly scheme: "argon2id" | "bcrypt";
  /** In PHC form, or in bcrypt's. */
  readonly text: string;
  /** What it takes to check a password against it: equal for hashes that take equally long. */
  readonly cost: string;
}

/** What bcrypt looks at of a password: the rest counts for nothing, with `htpasswd` and Apache too. */
const BCRYPT_BYTES_MAX = 72;

/** A check is one uninterrupted computation: these keep it at about two seconds, and the plugin's memory in bounds. */
const LIMITS = {
  memoryKib: 256 * 1024,
  /** Memory times passes. */
  workKib: 1024 * 1024,
  passes: 16,
  lanes: 16,
  saltBytes: [8, 64],
  tagBytes: [16, 64],
  bcryptCost: 15,
} as const;

const ARGON2ID =
  /^\$argon2id\$v=19\$m=([1-9]\d{0,9}),t=([1-9]\d{0,9}),p=([1-9]\d{0,9})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;
const BCRYPT = /^\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/;

/**
 * Reads the hash of a password. Throws a `RangeError` that says what is wrong, and nothing of the text: it may be the
 * password itself, by mistake.
 */
export function parsePasswordHash(text: string): PasswordHash {
  const argon2id = ARGON2ID.exec(text);
  if (argon2id) return readArgon2id(text, argon2id);
  const bcrypt = BCRYPT.exec(text);
  if (bcrypt) return readBcrypt(text, Number(bcrypt[1]));
  throw new RangeError("expected an argon2id hash ($argon2id$v=19$…) or one of bcrypt ($2y$…)");
}

function readArgon2id(text: string, [, m, t, p, salt = "", tag = ""]: RegExpExecArray): PasswordHash {
  const [memoryKib, passes, lanes] = [Number(m), Number(t), Number(p)];
  check(memoryKib <= LIMITS.memoryKib, "its memory (m) is more than 256 MiB");
  check(memoryKib >= 8 * lanes, "its memory (m) is less than 8 KiB for each lane (p)");
  check(passes <= LIMITS.passes, `its passes (t) are more than ${LIMITS.passes}`);
  check(lanes <= LIMITS.lanes, `its lanes (p) are more than ${LIMITS.lanes}`);
  check(memoryKib * passes <= LIMITS.workKib, "its memory times its passes (m × t) is more than 1 GiB");
  check(isBase64(salt, LIMITS.saltBytes), "its salt is not of 8 to 64 bytes in base64");
  check(isBase64(tag, LIMITS.tagBytes), "its end is not of 16 to 64 bytes in base64");
  return { scheme: "argon2id", text, cost: `argon2id m=${m},t=${t},p=${p}` };
}

function readBcrypt(text: string, cost: number): PasswordHash {
  check(cost <= LIMITS.bcryptCost, `its cost is more than ${LIMITS.bcryptCost}`);
  return { scheme: "bcrypt", text, cost: `bcrypt ${cost}` };
}

function check(holds: boolean, otherwise: string): void {
  if (!holds) throw new RangeError(otherwise);
}

/** Whether a text is base64 without padding, in its one canonical form. */
function isBase64(text: string, [least, most]: readonly [number, number]): boolean {
  const bytes = Buffer.from(text, "base64");
  const canonical = bytes.toString("base64").replace(/=+$/, "");
  return canonical === text && bytes.length >= least && bytes.length <= most;
}

/**
 * The bytes of a password that is worth checking; `undefined` for one that is never right: empty, longer than 4 KiB, or
 * with a NUL, where bcrypt would stop reading.
 */
export function passwordBytes(password: string): Uint8Array | undefined {
  if (password === "" || password.length > PASSWORD_BYTES_MAX || password.includes("\0")) return undefined;
  const bytes = new TextEncoder().encode(password);
  return bytes.length <= PASSWORD_BYTES_MAX ? bytes : undefined;
}

/** Whether a password, as `passwordBytes` answered it, is that of a hash. Blocks this thread for as long as it takes. */
export async function verifyPassword(hash: PasswordHash, password: Uint8Array): Promise<boolean> {
  if (hash.scheme === "argon2id") return verifyArgon2id(hash.text, password);
  return await bcryptVerify({ hash: hash.text, password: password.subarray(0, BCRYPT_BYTES_MAX) });
}

/** A hash of a new password. Blocks this thread for as long as it takes. */
export async function hashPassword(password: string): Promise<string> {
  const { memoryKib, passes, lanes, saltBytes, hashBytes } = NEW_HASH_COST;
  return await argon2id({
    password: new TextEncoder().encode(password),
    salt: randomBytes(saltBytes),
    memorySize: memoryKib,
    iterations: passes,
    parallelism: lanes,
    hashLength: hashBytes,
    outputType: "encoded",
  });
}
