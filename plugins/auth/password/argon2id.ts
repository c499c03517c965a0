/**
 * Checks passwords against argon2id hashes with the reference implementation of argon2 (RFC 9106), compiled to
 * WebAssembly by the npm package `@phi-ag/argon2`. Its file is read because the runtime cannot load WebAssembly by a
 * dynamic import, which is how plugins are loaded; and it is called without the package's wrapper, which gives a
 * password's length in UTF-16 code units and so cuts off what is not ASCII.
 *
 * One instance serves all calls: its memory grows to what the most expensive hash takes and is used again, where an
 * instance a call leaves hundreds of megabytes to the garbage collector.
 *
 * @module
 */

// Makes the runtime fetch the package where it has not yet.
import "@phi-ag/argon2";
import { PluginError } from "@sreg/contract/error.ts";

/** What of the module's exports is used. Addresses are offsets into `memory`. */
interface Argon2Exports {
  readonly memory: WebAssembly.Memory;
  _initialize(): void;
  /** The address of so many free bytes, or 0 where there are none. */
  malloc(length: number): number;
  free(address: number): void;
  /** Holds a password against a hash in PHC form that ends with a NUL, in constant time; answers 0, or why not. */
  argon2_verify(hash: number, password: number, passwordLength: number, type: number): number;
}

const ARGON2ID = 2;
const OK = 0;
const MISMATCH = -35;

const argon2 = await load();

/** Whether a password is that of an argon2id hash in PHC form. */
export function verifyArgon2id(hash: string, password: Uint8Array): boolean {
  const text = place(new TextEncoder().encode(`${hash}\0`));
  const secret = place(password);
  try {
    const code = argon2.argon2_verify(text, secret, password.length, ARGON2ID);
    if (code !== OK && code !== MISMATCH) throw failure(`argon2 answers ${code}`);
    return code === OK;
  } finally {
    new Uint8Array(argon2.memory.buffer, secret, password.length).fill(0);
    argon2.free(secret);
    argon2.free(text);
  }
}

async function load(): Promise<Argon2Exports> {
  const bytes = await Deno.readFile(new URL(import.meta.resolve("@phi-ag/argon2/argon2.wasm")));
  const { instance } = await WebAssembly.instantiate(bytes);
  const exports = instance.exports as unknown as Argon2Exports;
  exports._initialize();
  return exports;
}

function place(bytes: Uint8Array): number {
  const address = argon2.malloc(bytes.length);
  if (address === 0) throw failure("no memory is left");
  new Uint8Array(argon2.memory.buffer).set(bytes, address);
  return address;
}

function failure(state: string): PluginError {
  return new PluginError("unavailable", `Cannot check a password: ${state}`);
}
