import { PluginError } from "../../contract/error.ts";

const FULL_OR_BUSY = new Set([
  "ENOSPC",
  "EDQUOT",
  "EMFILE",
  "ENFILE",
  "ENOMEM",
  "EAGAIN",
  "EBUSY",
  "ETIMEDOUT",
]);
const ABSENT = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG"]);

/** What the operating system calls the error: `ENOENT` … */
export function systemCode(error: unknown): string | undefined {
  return (error as { readonly code?: string } | undefined)?.code;
}

/** Whether the error says that there is no such file. */
export function meansAbsent(error: unknown): boolean {
  return ABSENT.has(systemCode(error) ?? "");
}

/** The error that a plugin may throw: what was attempted, on which path, and why it could not be. */
export function failure(attempt: string, path: string, error: unknown): PluginError {
  if (error instanceof PluginError) return error;
  const code = FULL_OR_BUSY.has(systemCode(error) ?? "") ? "unavailable" : "failed";
  const reason = error instanceof Error ? error.message : String(error);
  return new PluginError(code, `Cannot ${attempt}: ${path}: ${reason}`, { cause: error });
}
