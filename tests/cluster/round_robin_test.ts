/** The load balancer of the tests sends each request on as it is, and no two of an upload to the same replica. */

import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { randomContent, RegistryClient } from "../support/client.ts";
import { type RunningRegistry, startRegistry } from "../support/registry.ts";
import { RoundRobin } from "../support/round_robin.ts";

const REPLICAS = 3;
const PIECE_BYTES = 100_000;

type Handler = (request: Request) => Response | Promise<Response>;

/** A server that is no registry, so that what reaches it can be looked at. */
interface StandIn extends AsyncDisposable {
  readonly port: number;
}

function standIn(handler: Handler): StandIn {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
  const dispose = () => server[Symbol.asyncDispose]();
  return { port: server.addr.port, [Symbol.asyncDispose]: dispose };
}

async function startReplicas(dataDir: string): Promise<RunningRegistry[]> {
  return await Promise.all(Array.from({ length: REPLICAS }, () => startRegistry({ dataDir })));
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

Deno.test("A chunked upload through the load balancer meets another replica with each request", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "sreg-round-robin-" });
  const replicas = await startReplicas(dataDir);
  await using balancer = new RoundRobin(replicas.map(({ url }) => portOf(url)));
  const client = new RegistryClient(balancer.url);
  const content = randomContent(5 * PIECE_BYTES);
  let location = await client.startUpload("team/app");
  for (let at = 0; at < content.bytes.length; at += PIECE_BYTES) {
    const body = content.bytes.slice(at, at + PIECE_BYTES);
    const answer = await client.send("PATCH", location, { body });
    assertEquals([answer.status, answer.headers.get("range")], [202, `0-${at + PIECE_BYTES - 1}`]);
    location = answer.headers.get("location")!;
    assert(location.startsWith("/v2/team/app/blobs/uploads/"), location);
    // Requests between, so that the turn alone does not see to it.
    for (let other = 0; other < at / PIECE_BYTES; other++) await client.get("/v2/");
  }
  assertEquals((await client.send("PUT", `${location}?digest=${content.digest}`)).status, 201);
  const uploads = balancer.requests.filter(({ target }) => target.includes("/uploads/"));
  assertEquals(uploads.length, 7);
  for (const [index, { replica }] of uploads.slice(1).entries()) assert(replica !== uploads[index]!.replica);
  for (let index = 0; index < REPLICAS; index++) {
    assertEquals((await client.get(`/v2/team/app/blobs/${content.digest}`)).bytes, content.bytes);
  }
  const readers = balancer.requests.slice(-REPLICAS).map(({ replica }) => replica);
  assertEquals(readers.sort(), [0, 1, 2]);
  await Promise.all(replicas.map((replica) => replica.stop()));
  await Deno.remove(dataDir, { recursive: true });
});

Deno.test("The load balancer leaves Host and Location as they are", async () => {
  const hosts: (string | null)[] = [];
  await using server = standIn((request) => {
    hosts.push(request.headers.get("host"));
    return new Response(null, { status: 307, headers: { location: "/elsewhere?a=b" } });
  });
  await using balancer = new RoundRobin([server.port]);
  const answer = await fetch(`${balancer.url}/v2/`, { redirect: "manual" });
  assertEquals(answer.headers.get("location"), "/elsewhere?a=b");
  assertEquals(hosts, [new URL(balancer.url).host]);
  await answer.body?.cancel();
});

Deno.test("The load balancer hands each piece of a body on before the next one is there", async () => {
  const received: number[] = [];
  let arrived = Promise.withResolvers<void>();
  await using server = standIn(async (request) => {
    for await (const piece of request.body!) {
      received.push(piece.length);
      arrived.resolve();
      arrived = Promise.withResolvers();
    }
    return new Response(ReadableStream.from(echo()));
  });
  let answered = Promise.withResolvers<void>();
  async function* echo() {
    yield new Uint8Array(1);
    await answered.promise;
    yield new Uint8Array(2);
  }
  await using balancer = new RoundRobin([server.port]);
  async function* send() {
    for (const length of [10, 20]) {
      const next = arrived.promise;
      yield new Uint8Array(length);
      await next;
    }
  }
  const answer = await fetch(balancer.url, { method: "POST", body: ReadableStream.from(send()) });
  assertEquals(received, [10, 20]);
  const reader = answer.body!.getReader();
  assertEquals((await reader.read()).value?.length, 1);
  answered.resolve();
  answered = Promise.withResolvers();
  assertEquals((await reader.read()).value?.length, 2);
  assertEquals((await reader.read()).done, true);
});

Deno.test("The load balancer goes on to the next replica where one refuses connections", async () => {
  await using one = standIn(() => new Response("one"));
  const gone = standIn(() => new Response("gone"));
  const goneAt = gone.port;
  await gone[Symbol.asyncDispose]();
  await using other = standIn(() => new Response("other"));
  await using balancer = new RoundRobin([one.port, goneAt, other.port]);
  const answers = [];
  for (let index = 0; index < 6; index++) answers.push(await (await fetch(balancer.url)).text());
  assertEquals(new Set(answers), new Set(["one", "other"]));
  balancer.drop(0);
  for (let index = 0; index < 3; index++) assertEquals(await (await fetch(balancer.url)).text(), "other");
  balancer.drop(2);
  const nobody = await fetch(balancer.url);
  assertEquals([nobody.status, nobody.headers.get("retry-after")], [503, "1"]);
  balancer.take(1, one.port);
  assertEquals(await (await fetch(balancer.url)).text(), "one");
});

Deno.test("The load balancer tries no other replica once one has a byte of the request", async () => {
  let reached = 0;
  await using other = standIn(async (request) => {
    reached++;
    await request.body?.cancel();
    return new Response("reached");
  });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const broken = (async () => {
    const connection = await listener.accept();
    await connection.read(new Uint8Array(1));
    connection.close();
    listener.close();
  })();
  await using balancer = new RoundRobin([listener.addr.port, other.port]);
  await assertRejects(fetch(balancer.url, { method: "POST", body: "x" }), TypeError);
  await broken;
  assertEquals(reached, 0);
});
