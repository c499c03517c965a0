/**
 * The command line of the benchmark.
 *
 * @module
 */

import { parseArgs } from "node:util";
import type { Sizes } from "./workloads.ts";

/** What `--help` prints. */
export const USAGE = `Usage: deno task bench (URL | --start | --peer | --access) [options]

  URL              Measure the registry that answers there
  --start          Start sreg for it, on a temporary folder
  --peer           Start sreg and docker-registry (CNCF distribution), and compare them

  --access         Start sreg with identities, rules and roles, and compare its manifest reads with an open one's

  --only PATTERN   Only the rows whose "scene: workload, N connections" matches the regular expression
  --storage s3     Start them over one S3 server (versitygw), each on a bucket of its own; with --start and --peer
  --seconds N      How long to measure each row on each server (default 5)
  --tags N         How many tags to list (default 50000)
  --quick          Fewer tags, repositories and referrers, smaller blobs, 1 second
  --memory         The peak memory of 64 uploads at once of 1 GiB each instead (with --quick 64 MiB)
  --pid N          The process of the server at URL: gives its CPU time and memory
  --json FILE      Write the figures to FILE, too
  --help           This text`;

/** Which servers to measure. */
export type Choice =
  | { readonly kind: "url"; readonly url: string; readonly pid?: number }
  | { readonly kind: "start" }
  | { readonly kind: "peer" }
  | { readonly kind: "access" }
  | { readonly kind: "none" };

/** What the command line asks for. */
export interface Arguments {
  readonly choice: Choice;
  /** What servers that are started keep their data in. */
  readonly storage: "folder" | "s3";
  readonly only: RegExp;
  readonly seconds: number;
  readonly sizes: Sizes;
  readonly memory: boolean;
  readonly jsonFile?: string;
}

const MIB = 2 ** 20;
const FULL: Sizes = {
  tags: 50_000,
  repositories: 10_000,
  referrers: 1_000,
  blobBytesMax: 1024 * MIB,
  pushBytesMax: 100 * MIB,
  memoryBytes: 1024 * MIB,
};
const QUICK: Sizes = {
  tags: 2_000,
  repositories: 500,
  referrers: 100,
  blobBytesMax: 100 * MIB,
  pushBytesMax: 10 * MIB,
  memoryBytes: 64 * MIB,
};

/** Reads the command line; throws `TypeError` for what it does not know. */
export function parseArguments(args: readonly string[]): Arguments {
  const { values, positionals: [url] } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      start: { type: "boolean" },
      peer: { type: "boolean" },
      access: { type: "boolean" },
      storage: { type: "string", default: "folder" },
      only: { type: "string", default: "" },
      seconds: { type: "string" },
      tags: { type: "string" },
      quick: { type: "boolean" },
      memory: { type: "boolean", default: false },
      pid: { type: "string" },
      json: { type: "string" },
      help: { type: "boolean" },
    },
  });
  const sizes = values.quick ? QUICK : FULL;
  return {
    choice: chooseServers(values, url),
    storage: parseStorage(values.storage),
    only: new RegExp(values.only),
    seconds: parseNumber(values.seconds) ?? (values.quick ? 1 : 5),
    sizes: { ...sizes, ...optional("tags", parseNumber(values.tags)) },
    memory: values.memory,
    ...optional("jsonFile", values.json),
  };
}

function chooseServers(
  values: {
    readonly help?: boolean;
    readonly peer?: boolean;
    readonly access?: boolean;
    readonly start?: boolean;
    readonly pid?: string;
  },
  url?: string,
): Choice {
  if (values.help) return { kind: "none" };
  if (values.peer) return { kind: "peer" };
  if (values.access) return { kind: "access" };
  if (values.start) return { kind: "start" };
  if (url === undefined) return { kind: "none" };
  return { kind: "url", url: url.replace(/\/+$/, ""), ...optional("pid", parseNumber(values.pid)) };
}

function parseStorage(text: string): Arguments["storage"] {
  if (text !== "folder" && text !== "s3") {
    throw new TypeError(`Cannot use the storage "${text}": there is s3`);
  }
  return text;
}

function parseNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+(\.\d+)?$/.test(text)) throw new TypeError(`Cannot read the number: "${text}"`);
  return Number(text);
}

function optional<Key extends string, Value>(key: Key, value: Value | undefined) {
  return (value === undefined ? {} : { [key]: value }) as { [key in Key]?: Value };
}
