import { assert, assertEquals } from "../support/assert.ts";
import { digestOf } from "../support/image_layout.ts";
import { startRegistry } from "../support/registry.ts";
import { CAN_TRACE, findVolatile, parseCalls, type SystemCall, traceCommand } from "./system_calls.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const BLOB = new TextEncoder().encode("a blob of some bytes");
const DIGEST = digestOf(BLOB);
const CONFIG = { mediaType: "application/octet-stream", digest: DIGEST, size: BLOB.length };
const DOCUMENT = new TextEncoder().encode(
  JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: CONFIG, layers: [] }),
);

/** The requests, in their order, with the status that each must be answered with. */
const STEPS = ["begin", "append", "blob", "manifest", "tag", "untag", "delete"] as const;
type Step = (typeof STEPS)[number];

/** Pushes and deletes an image; answers the statuses. */
async function pushAndDelete(url: string): Promise<number[]> {
  const statuses: number[] = [];
  const send = async (method: string, path: string, init: RequestInit = {}) => {
    const answer = await fetch(url + path, { method, ...init });
    await answer.body?.cancel();
    statuses.push(answer.status);
    return answer.headers.get("location")!;
  };
  const manifest = { body: DOCUMENT, headers: { "content-type": MANIFEST } };
  const upload = await send("POST", "/v2/power/cut/blobs/uploads/");
  await send("PATCH", upload, { body: BLOB });
  await send("PUT", `${upload}?digest=${DIGEST}`);
  await send("PUT", `/v2/power/cut/manifests/${digestOf(DOCUMENT)}`, manifest);
  await send("PUT", "/v2/power/cut/manifests/v1", manifest);
  await send("DELETE", "/v2/power/cut/manifests/v1");
  await send("DELETE", `/v2/power/cut/manifests/${digestOf(DOCUMENT)}`);
  return statuses;
}

async function trace(): Promise<SystemCall[]> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-crash-" });
  try {
    const dataDir = `${folder}/data`;
    const server = await startRegistry({ dataDir, under: traceCommand(`${folder}/calls`) });
    assertEquals(await pushAndDelete(server.url), [202, 202, 201, 201, 201, 202, 202]);
    await server.stop();
    return parseCalls(await Deno.readTextFile(`${folder}/calls`), dataDir);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The calls from the answer to the step before up to the step's own answer, which comes last. */
function callsOf(calls: readonly SystemCall[], step: Step): SystemCall[] {
  const answers = calls.filter(({ verb }) => verb === "answer");
  const index = STEPS.indexOf(step);
  const from = answers[index - 1]?.begin ?? -1;
  return calls.filter(({ begin }) => begin > from && begin <= answers[index]!.begin);
}

function assertDurable(calls: readonly SystemCall[], change: RegExp): void {
  const changes = calls.map(({ verb, paths }) => `${verb} ${paths.join(" ")}`);
  assert(changes.some((text) => change.test(text)), `no ${change} among\n${changes.join("\n")}`);
  // What tags have pointed to is told by them as well: it may be lost.
  const lasting = calls.filter(({ paths }) => !paths.some((path) => path.includes("/_history")));
  assertEquals(findVolatile(lasting, calls.at(-1)!), []);
}

Deno.test({
  name: "An answer outlives a power cut (needs strace, and that it may trace)",
  ignore: !CAN_TRACE,
  async fn(t) {
    const calls = await trace();
    const steps: readonly (readonly [string, Step, RegExp])[] = [
      ["201 for a blob: its bytes and its name are durable", "blob", /^rename.* blobs\/sha256\//],
      [
        "201 for a manifest: its bytes and its name are durable",
        "manifest",
        /^rename.*\/_manifests\/sha256\//,
      ],
      ["201 for a tag: its bytes and its name are durable", "tag", /^rename.*\/_tags\/v1$/],
      ["202 for a tag's deletion: its end is durable", "untag", /^unlink.*\/_tags\/v1$/],
      ["202 for a manifest's deletion: its end is durable", "delete", /^unlink.*\/_manifests\/sha256\//],
    ];
    for (const [name, step, change] of steps) {
      await t.step(name, () => assertDurable(callsOf(calls, step), change));
    }
  },
});

Deno.test("findVolatile() finds what a power cut could undo", async (t) => {
  const answer = String.raw`1 sendto(9<socket:[1]>, "HTTP/1.1 201 Created\r\n", 20) = 20`;
  const volatile = (...lines: string[]) => {
    const calls = parseCalls([...lines.map((line) => `1 ${line}`), answer].join("\n"), "/data");
    return findVolatile(calls, calls.at(-1)!);
  };
  const write = 'write(5</data/%temp/x>, "bytes", 5) = 5';
  const fsync = "fsync(5</data/%temp/x>) = 0";
  const rename = 'rename("/data/%temp/x", "/data/blobs/x") = 0';
  const folder = "fsync(6</data/blobs>) = 0";
  await t.step("nothing, where file, name and folder come in their order", () => {
    assertEquals(volatile(write, fsync, rename, folder), []);
  });
  await t.step("bytes that were written after the fsync", () => {
    assertEquals(volatile(fsync, write, rename, folder), [
      "%temp/x is renamed before its bytes are durable",
    ]);
  });
  await t.step("a name whose folder was made durable too early, or not at all", () => {
    const expected = ["rename blobs/x is answered before blobs is durable"];
    assertEquals(volatile(write, fsync, folder, rename), expected);
    assertEquals(volatile(write, fsync, rename), expected);
    assertEquals(
      volatile(write, fsync, rename, "fsync(6</data/blobs>) = -1 EIO (Input/output error)"),
      expected,
    );
  });
  await t.step("a new folder whose parent was not made durable", () => {
    assertEquals(volatile('mkdir("/data/blobs", 0777) = 0', write, fsync, rename, folder), [
      "mkdir blobs is answered before . is durable",
    ]);
  });
});
