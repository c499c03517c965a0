/** How the S3 plugin, in its sandbox, gets to a real S3 server: its keys, its certificates, its rights. */

import { stringify } from "smol-toml";
import type { Storage } from "../../plugins/contract/storage.ts";
import { type PluginConfig, readConfig } from "../../server/config/mod.ts";
import { showConfig } from "../../server/config/shown.ts";
import { createLog } from "../../server/observe/log.ts";
import { startConfigured } from "../../server/plugins.ts";
import { expandPermissions } from "../../server/sandbox/mod.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { makeCertificate } from "../support/certificate.ts";
import { hasProgram } from "../support/programs.ts";
import { type RunningS3, S3_PROGRAM, startS3 } from "../support/s3_server.ts";

const ignore = !hasProgram(S3_PROGRAM);
const BYTES = new TextEncoder().encode("bytes");

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-s3-access-" });
  try {
    await act(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function read(folder: string, table: object) {
  const file = `${folder}/sreg.toml`;
  await Deno.writeTextFile(file, stringify({ storage: { s3: table } }));
  return (await readConfig({ files: [file] })).config;
}

/** Starts the plugin in its sandbox, does something with it, and ends it. */
async function withStore(config: PluginConfig, act: (store: Storage) => Promise<void>): Promise<void> {
  const plugin = await startConfigured("storage", config, createLog(() => "error"));
  try {
    await act(plugin.contract);
  } finally {
    await plugin.close();
  }
}

async function putsAndGets(store: Storage): Promise<void> {
  const large = new Uint8Array(3 * 1024 * 1024).fill(65);
  await store.put("a/small", BYTES);
  await store.put("a/large", large.slice());
  assertEquals(new Uint8Array((await store.get("a/small"))!.bytes), BYTES);
  const { body } = (await store.open("a/large"))!;
  assertEquals(new Uint8Array(await new Response(body).arrayBuffer()), large);
}

/** A TLS listener that hands on to the server whatever it is sent. */
function startTls(server: RunningS3, { cert, key }: { readonly cert: string; readonly key: string }) {
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
  const { hostname, port } = new URL(server.endpoint);
  void (async () => {
    for await (const outer of listener) {
      const inner = await Deno.connect({ hostname, port: Number(port) });
      // Either side may go at any time.
      void outer.readable.pipeTo(inner.writable).catch(() => {});
      void inner.readable.pipeTo(outer.writable).catch(() => {});
    }
  })();
  return { endpoint: `https://localhost:${listener.addr.port}`, [Symbol.dispose]: () => listener.close() };
}

Deno.test({
  name: `s3 reaches a store over TLS whose authority it was told of, and no other (${S3_PROGRAM})`,
  ignore,
  sanitizeResources: false,
  fn: () =>
    inFolder(async (folder) => {
      await using server = await startS3();
      const { authority, certificate, key } = await makeCertificate(folder);
      const [cert, secret] = await Promise.all([Deno.readTextFile(certificate), Deno.readTextFile(key)]);
      using tls = startTls(server, { cert, key: secret });
      const table = {
        endpoint: tls.endpoint,
        bucket: server.bucket,
        access_key_id: server.accessKey,
        secret_key: server.secretKey,
      };
      const { storage } = await read(folder, { ...table, ca_file: authority });
      await withStore(storage, putsAndGets);
      await assertRejects(withStore((await read(folder, table)).storage, putsAndGets), /certificate/);
    }),
});

Deno.test({
  name: `s3 finds its keys where it is told to (${S3_PROGRAM})`,
  ignore,
  fn: () =>
    inFolder(async (folder) => {
      await using server = await startS3();
      const { endpoint, bucket, accessKey, secretKey } = server;
      const file = `${folder}/credentials`;
      const write = (secret: string) =>
        Deno.writeTextFile(
          file,
          `[sreg]\naws_access_key_id = ${accessKey}\naws_secret_access_key = ${secret}\n`,
        );
      await write(secretKey);
      const fromFile = { endpoint, bucket, credentials: "file", credentials_file: file, profile: "sreg" };
      await withStore((await read(folder, fromFile)).storage, putsAndGets);
      await write("another");
      await assertRejects(
        withStore((await read(folder, fromFile)).storage, putsAndGets),
        /the store refused it: 403 SignatureDoesNotMatch/,
      );
      const { storage } = await read(folder, { endpoint, bucket, credentials: "environment" });
      Deno.env.set("AWS_ACCESS_KEY_ID", accessKey);
      Deno.env.set("AWS_SECRET_ACCESS_KEY", secretKey);
      try {
        await withStore(storage, putsAndGets);
      } finally {
        Deno.env.delete("AWS_ACCESS_KEY_ID");
        Deno.env.delete("AWS_SECRET_ACCESS_KEY");
      }
      await assertRejects(withStore(storage, putsAndGets), /are not both in the environment/);
    }),
});

Deno.test("s3 asks for the endpoint, the files and the variables that its settings need, and nothing else", () =>
  inFolder(async (folder) => {
    const bare = { endpoint: "https://s3.example:9000/x", bucket: "images" };
    const rights = async (table: object) => {
      const { permissions, options } = (await read(folder, { ...bare, ...table })).storage;
      return expandPermissions(permissions, options);
    };
    assertEquals(await rights({}), { net: ["s3.example:9000"], sys: ["ca"] });
    assertEquals(await rights({ addressing: "virtual" }), {
      net: ["images.s3.example:9000"],
      sys: ["ca"],
    });
    assertEquals(await rights({ credentials: "environment" }), {
      net: ["s3.example:9000"],
      env: ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
      sys: ["ca"],
    });
    const lent = { sts_endpoint: "https://sts.example", web_identity_token_file: "token", ca_file: "ca" };
    assertEquals(await rights({ credentials: "web-identity", ...lent }), {
      net: ["s3.example:9000", "sts.example:443"],
      read: [`${folder}/ca`, `${folder}/token`],
      sys: ["ca"],
    });
  }));

Deno.test("s3 shows its settings without its keys", () =>
  inFolder(async (folder) => {
    const secrets = { access_key_id: "an-access-key", secret_key: "a-secret-key", session_token: "a-token" };
    const config = await read(folder, { endpoint: "https://s3.example", bucket: "images", ...secrets });
    const shown = JSON.stringify(showConfig(config as Parameters<typeof showConfig>[0]));
    assert(shown.includes("https://s3.example"));
    for (const secret of Object.values(secrets)) assert(!shown.includes(secret), secret);
  }));
