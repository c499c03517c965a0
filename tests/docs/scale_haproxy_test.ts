/** The replicas of docs/scale behind HAProxy, with the page's own files: only addresses are others. */

import { assert, assertEquals } from "../support/assert.ts";
import { contentOf, imageOf, RegistryClient } from "../support/client.ts";
import { hasProgram } from "../support/programs.ts";
import { freePort, HAS_REDIS, startRedis } from "../support/redis_server.ts";
import { type RunningRegistry, startRegistry } from "../support/registry.ts";
import { type RunningS3, S3_PROGRAM, startS3 } from "../support/s3_server.ts";
import { readScaleFile } from "./scale_files.ts";

const REPLICAS = 3;
const REDIS_PASSWORD = "change-me-redis";

/** A text with parts replaced, each of which must be there. */
function replaced(text: string, parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts).reduce((before, [from, to]) => {
    assert(before.includes(from), `${from} is not in:\n${before}`);
    return before.replaceAll(from, to);
  }, text);
}

async function startReplica(server: RunningS3, redisPort: number, folder: string): Promise<RunningRegistry> {
  const store = replaced(await readScaleFile("store.toml"), {
    "http://s3:7070": server.endpoint,
    '"sreg"\nsecret_key': `"${server.accessKey}"\nsecret_key`,
    "change-me-store": server.secretKey,
    "@redis:6379": `@127.0.0.1:${redisPort}`,
  });
  await Deno.writeTextFile(`${folder}/store.toml`, store);
  return await startRegistry({
    config: await readScaleFile("sreg.toml"),
    args: ["--config", `${folder}/store.toml`, "--verbose"],
  });
}

/** Starts HAProxy before replicas; answers where it listens, and ends with what it is put on. */
async function startBalancer(
  hosts: readonly string[],
  { folder, stack }: { readonly folder: string; readonly stack: AsyncDisposableStack },
): Promise<string> {
  const port = freePort();
  const servers = hosts.map((host, index) => `  server sreg${index} ${host}`).join("\n");
  const template = "  server-template sreg 3 sreg:5000 resolvers containers init-addr none";
  const text = replaced(await readScaleFile("haproxy.cfg"), {
    "bind :5000": `bind 127.0.0.1:${port}`,
    [template]: servers,
  });
  await Deno.writeTextFile(`${folder}/haproxy.cfg`, text);
  const child = new Deno.Command("haproxy", {
    args: ["-db", "-f", `${folder}/haproxy.cfg`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  stack.defer(async () => {
    child.kill("SIGKILL");
    await child.status;
  });
  const url = `http://127.0.0.1:${port}`;
  await untilServed(url);
  return url;
}

async function untilServed(url: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const status = await fetch(`${url}/v2/`).then(async (answer) => {
      await answer.body?.cancel();
      return answer.status;
    }, () => 0);
    if (status === 200) return;
    if (performance.now() > deadline) throw new Error(`HAProxy answers ${status}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Pushes a blob in pieces, each of which is another request. */
async function pushInPieces(client: RegistryClient, name: string, pieces: readonly string[]) {
  let location = await client.startUpload(name);
  let size = 0;
  for (const piece of pieces) {
    const range = `${size}-${size + piece.length - 1}`;
    const { status, headers } = await client.send("PATCH", location, {
      headers: { "Content-Range": range },
      body: piece,
    });
    assertEquals(status, 202);
    location = headers.get("Location")!;
    size += piece.length;
  }
  const content = contentOf(pieces.join(""));
  assertEquals((await client.send("PUT", `${location}?digest=${content.digest}`)).status, 201);
  return content;
}

Deno.test({
  name:
    `docs/scale has three replicas, behind HAProxy, of which one can go (haproxy, ${S3_PROGRAM}, redis-server)`,
  ignore: !hasProgram("haproxy") || !hasProgram(S3_PROGRAM) || !HAS_REDIS,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir({ prefix: "sreg-scale-" });
    stack.defer(() => Deno.remove(folder, { recursive: true }));
    const server = stack.use(await startS3());
    const redis = stack.use(await startRedis({ args: ["--requirepass", REDIS_PASSWORD] }));
    const replicas: RunningRegistry[] = [];
    for (let index = 0; index < REPLICAS; index++) {
      replicas.push(stack.use(await startReplica(server, redis.port, folder)));
    }
    const client = new RegistryClient(
      await startBalancer(replicas.map(({ host }) => host), { folder, stack }),
    );

    const config = await client.pushBlob("team/app", contentOf({}));
    const layer = await pushInPieces(client, "team/app", ["one ", "two ", "three ", "four"]);
    const image = imageOf(config, [layer]);
    assertEquals((await client.putManifest("team/app", "v1", image)).status, 201);
    const patched = replicas.filter((replica) => replica.log().includes('"method":"PATCH"'));
    assertEquals(patched.length, REPLICAS);

    await replicas[0]!.kill();
    for (let time = 0; time < 4 * REPLICAS; time++) {
      assertEquals(
        (await client.get("/v2/team/app/manifests/v1")).text,
        new TextDecoder().decode(image.bytes),
      );
      assertEquals((await client.get(`/v2/team/app/blobs/${layer.digest}`)).text, "one two three four");
    }
    const keys = (await Array.fromAsync(Deno.readDir(server.bucketFolder))).map(({ name }) => name);
    assert(keys.includes("registry"), keys.join());
  },
});
