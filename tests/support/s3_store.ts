/** Opens the S3 storage plugin in tests, as `sreg.toml` would have it. */

import { stringify } from "smol-toml";
import type { Storage } from "../../plugins/contract/storage.ts";
import { create } from "../../plugins/storage/s3/s3.ts";
import type { S3Options } from "../../plugins/storage/s3/settings.ts";
import { type PluginConfig, readConfig } from "../../server/config/mod.ts";
import { createLog } from "../../server/observe/log.ts";
import { startConfigured } from "../../server/plugins.ts";
import type { RunningS3 } from "./s3_server.ts";

/** Settings that differ from what the server needs. */
export type S3Settings = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** What `sreg.toml` says of the server's bucket in `[storage.s3]`. */
export function s3Table(
  { endpoint, bucket, region, accessKey, secretKey }: RunningS3,
  settings: S3Settings = {},
) {
  return { endpoint, bucket, region, access_key_id: accessKey, secret_key: secretKey, ...settings };
}

/** The store, without a sandbox. */
export async function openS3(server: RunningS3, settings: S3Settings = {}): Promise<Storage> {
  return await create(await readS3Options(server, settings));
}

/** The plugin's options. */
export async function readS3Options(server: RunningS3, settings: S3Settings = {}): Promise<S3Options> {
  const { options } = await readStorage(s3Table(server, settings));
  return options as unknown as S3Options;
}

/** The store, in its sandbox. */
export async function startS3Plugin(
  server: RunningS3,
  settings: S3Settings = {},
): Promise<Storage & AsyncDisposable> {
  const log = createLog(() => "error");
  const plugin = await startConfigured("storage", await readStorage(s3Table(server, settings)), log);
  return { ...plugin.contract, [Symbol.asyncDispose]: () => plugin.close() };
}

async function readStorage(table: object): Promise<PluginConfig> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-s3-config-" });
  try {
    const file = `${folder}/sreg.toml`;
    await Deno.writeTextFile(file, stringify({ storage: { s3: table } }));
    return (await readConfig({ files: [file] })).config.storage;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
