/** The options of the plugin as they are set, and how they are refused. */

import { PluginError } from "../../contract/error.ts";
import type { Addressing } from "./addresses.ts";

/** The options that `plugin.toml` declares; sizes are bytes, durations milliseconds. */
export interface S3Options {
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly key_prefix?: string;
  readonly addressing: Addressing;
  readonly ca_file?: string;
  readonly credentials: "static" | "environment" | "file" | "web-identity";
  readonly access_key_id?: string;
  readonly secret_key?: string;
  readonly secret_key_file?: string;
  readonly session_token?: string;
  readonly credentials_file?: string;
  readonly profile?: string;
  readonly role_arn?: string;
  readonly web_identity_token_file?: string;
  readonly sts_endpoint?: string;
  readonly sse?: "AES256" | "aws:kms";
  readonly sse_kms_key_id?: string;
  readonly sse_c_key_file?: string;
  readonly multipart_min_part_size: number;
  readonly multipart_copy_threshold: number;
  readonly multipart_copy_chunk_size: number;
  readonly multipart_copy_jobs: number;
  /** `true`, `false` or `"external"`. */
  readonly redirect: unknown;
  readonly redirect_networks?: readonly string[];
  readonly public_endpoint?: string;
  readonly url_lifetime: number;
  readonly request_timeout: number;
  readonly stall_timeout: number;
  readonly retry_budget: number;
}

/** The name of an option. */
export type OptionName = keyof S3Options;

/** The URL of a service. Throws where it is none, or holds more than that. */
export function readUrl(option: OptionName, text: string): URL {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw refused(option, 'expected a URL such as "https://s3.eu-central-1.amazonaws.com"');
  }
  if (url.username !== "" || url.password !== "") throw refused(option, "it holds a user name or a password");
  if (url.search !== "" || url.hash !== "") throw refused(option, "it has a query or a fragment");
  return url;
}

/** A text that goes into signatures and headers. Throws where it cannot, and does not repeat it. */
export function readWord(option: OptionName, text: string, what = "it"): string {
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw refused(option, `${what} holds a space, a line break or another character that no header takes`);
}

/** The bytes of a file that an option names. */
export function readFile(option: OptionName, path: string): Uint8Array<ArrayBuffer> {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    throw refused(option, `${path} cannot be read: ${(error as Error).message}`, error);
  }
}

/** What is wrong with an option. */
export function refused(option: OptionName, state: string, cause?: unknown): PluginError {
  return new PluginError("failed", `Cannot use ${option}: ${state}`, { cause });
}
