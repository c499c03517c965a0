import type { ConfigOverrides } from "./config/mod.ts";
import { hashPassword } from "./config/password_hash.ts";

/** The flags of `sreg serve` as they were written. */
export interface ServeFlags extends Omit<ConfigOverrides, "admin"> {
  readonly adminName?: string;
  readonly adminPasswordFile?: string;
}

/** What flags and environment say of the configuration; an administrator's password is hashed, and forgotten. */
export async function readOverrides(flags: ServeFlags): Promise<ConfigOverrides> {
  const { adminName, adminPasswordFile, ...overrides } = flags;
  const username = adminName ?? Deno.env.get("SREG_ADMIN_NAME");
  const password = adminPasswordFile === undefined
    ? Deno.env.get("SREG_ADMIN_PASSWORD")
    : await readPasswordFile(adminPasswordFile);
  if (username === undefined && password === undefined) return overrides;
  if (username === undefined) throw new Error("Cannot set up the administrator: --admin-name is missing");
  if (password === undefined) {
    throw new Error("Cannot set up the administrator: --admin-password-file is missing");
  }
  if (password === "") throw new Error("Cannot set up the administrator: the password is empty");
  return { ...overrides, admin: { username, passwordHash: await hashPassword(password) } };
}

/** The first line of a file. */
async function readPasswordFile(file: string): Promise<string> {
  try {
    return (await Deno.readTextFile(file)).split(/\r?\n/, 1)[0]!;
  } catch (error) {
    throw new Error(`Cannot read the administrator's password: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
