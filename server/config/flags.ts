import { resolve } from "node:path";
import type { FlagValue } from "./document.ts";
import { ConfigError } from "./error.ts";

/** What the command line says of the configuration; it goes before the file. */
export interface ConfigOverrides {
  /** `HOST:PORT`, an IPv6 address in brackets. */
  readonly addr?: string;
  /** The folder of `storage.fs`. */
  readonly dataDir?: string;
  /** The server's certificate: a PEM file. */
  readonly cert?: string;
  /** Its private key: a PEM file. */
  readonly key?: string;
  /** An administrator, with the hash of the password. */
  readonly admin?: { readonly username: string; readonly passwordHash: string };
  /** Whether everything is logged. */
  readonly verbose?: boolean;
}

/** The id of the administrator of the flags. */
export const ADMIN_ID = "quick-start-admin";

const ADDRESS = /^(?:\[([^\[\]]+)\]|([^:\[\]]+)):([0-9]{1,5})$/;

/** The values that flags stand for. Their paths are relative to `folder`. Throws a `ConfigError`. */
export function flagValues(overrides: ConfigOverrides, folder: string): FlagValue[] {
  const { addr, dataDir, cert, key, admin, verbose } = overrides;
  if (cert !== undefined && key === undefined) throw refused("--cert", "expected --key beside it");
  if (key !== undefined && cert === undefined) throw refused("--key", "expected --cert beside it");
  const file = (flag: string, text: string | undefined, path: readonly string[]): FlagValue[] =>
    text === undefined ? [] : [{ path, flag, value: text && resolve(folder, text) }];
  return [
    ...(addr === undefined ? [] : addressValues(addr)),
    ...file("--data-dir", dataDir, ["storage", "fs", "root_dir"]),
    ...file("--cert", cert, ["server", "tls", "server_certificate_bundle"]),
    ...file("--key", key, ["server", "tls", "server_private_key"]),
    ...(admin ? adminValues(admin) : []),
    ...(verbose ? [{ path: ["log", "level"], flag: "--verbose", value: "debug" }] : []),
  ];
}

function adminValues({ username, passwordHash }: NonNullable<ConfigOverrides["admin"]>): FlagValue[] {
  const path = ["identity", ADMIN_ID];
  return [
    { path: [...path, "username"], flag: "--admin-name", value: username },
    { path: [...path, "password"], flag: "--admin-password-file", value: passwordHash },
  ];
}

function addressValues(addr: string): FlagValue[] {
  const [, bracketed, plain, port] = ADDRESS.exec(addr) ?? [];
  if (port === undefined) {
    throw refused("--addr", `expected HOST:PORT, an IPv6 address in brackets, found ${JSON.stringify(addr)}`);
  }
  return [
    { path: ["server", "bind_address"], flag: "--addr", value: bracketed ?? plain! },
    { path: ["server", "port"], flag: "--addr", value: BigInt(port) },
  ];
}

function refused(origin: string, message: string): ConfigError {
  return new ConfigError([{ origin, key: "", message }]);
}
