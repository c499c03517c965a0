import { PluginError } from "@sreg/contract/error.ts";
import { exportJWK, generateKeyPair } from "jose";
import { assert, assertEquals, assertRejects } from "../../../tests/support/assert.ts";
import { COOLDOWN_MS, ProviderKeys, RETRY_MS } from "./provider_keys.ts";

const CACHE_MS = 3_600_000;
const DOWN = new PluginError("unavailable", "Cannot fetch the keys: down");

const { publicKey } = await generateKeyPair("ES256", { extractable: true });
const jwk = await exportJWK(publicKey);

/** Keys of a provider that a test turns on and off, by a clock that it moves. */
function open({ cacheMs = CACHE_MS }: { readonly cacheMs?: number } = {}) {
  const world = { kids: ["a"], isDown: false, loads: 0, nowMs: 0 };
  const load = () => {
    world.loads++;
    if (world.isDown) return Promise.reject(DOWN);
    return Promise.resolve({ keys: world.kids.map((kid) => ({ ...jwk, kid })) });
  };
  const keys = new ProviderKeys({ load, cacheMs, clock: () => world.nowMs });
  const count = async (kid: string) => (await keys.find({ alg: "ES256", kid })).length;
  return { world, count };
}

Deno.test("ProviderKeys fetches keys again when they have become old, and forgets those that are gone", async () => {
  const { world, count } = open();
  assertEquals(await count("a"), 1);
  world.kids = ["b"];
  world.nowMs = CACHE_MS - 1;
  assertEquals([await count("a"), world.loads], [1, 1]);
  world.nowMs = CACHE_MS;
  assertEquals([await count("a"), await count("b"), world.loads], [0, 1, 2]);
});

Deno.test("ProviderKeys uses old keys while their provider is down, and tries again after each cooldown", async () => {
  const { world, count } = open();
  await count("a");
  world.isDown = true;
  world.nowMs = 2 * CACHE_MS;
  assertEquals([await count("a"), world.loads], [1, 2]);
  world.nowMs += COOLDOWN_MS - 1;
  assertEquals([await count("a"), world.loads], [1, 2]);
  world.nowMs += 1;
  assertEquals([await count("a"), world.loads], [1, 3]);
  world.isDown = false;
  world.kids = ["b"];
  world.nowMs += COOLDOWN_MS;
  assertEquals([await count("b"), world.loads], [1, 4]);
});

Deno.test("ProviderKeys fetches for unknown keys once a cooldown, and finds a new one after it", async () => {
  const { world, count } = open();
  await count("a");
  for (let i = 0; i < 50; i++) assertEquals(await count(`random ${i}`), 0);
  assertEquals(world.loads, 2);
  world.kids = ["a", "b"];
  assertEquals([await count("b"), world.loads], [0, 2]);
  world.nowMs = COOLDOWN_MS;
  assertEquals([await count("b"), await count("random"), world.loads], [1, 0, 3]);
});

Deno.test("ProviderKeys says that it cannot know while there are no keys, and tries again soon", async () => {
  const { world, count } = open();
  world.isDown = true;
  await assertRejects(count("a"), DOWN);
  world.nowMs = RETRY_MS - 1;
  await assertRejects(count("a"), DOWN);
  assertEquals(world.loads, 1);
  world.isDown = false;
  world.nowMs = RETRY_MS;
  assertEquals([await count("a"), world.loads], [1, 2]);
});

Deno.test("ProviderKeys keeps keys for a cooldown at least", async () => {
  const { world, count } = open({ cacheMs: 0 });
  await count("a");
  world.nowMs = COOLDOWN_MS - 1;
  assertEquals([await count("a"), world.loads], [1, 1]);
  world.nowMs = COOLDOWN_MS;
  assertEquals([await count("a"), world.loads], [1, 2]);
});

Deno.test("ProviderKeys never finds a key that is a secret, or not for signatures", async () => {
  const keys = [
    { kty: "oct", k: "c2VjcmV0", kid: "a" },
    { ...jwk, use: "enc", kid: "b" },
    { ...jwk, key_ops: ["sign"], kid: "c" },
  ];
  const found = new ProviderKeys({ load: () => Promise.resolve({ keys }), cacheMs: CACHE_MS });
  for (const kid of ["a", "b", "c"]) assertEquals(await found.find({ alg: "ES256", kid }), []);
});

Deno.test("ProviderKeys does not use a private key that somebody published", async () => {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const keys = [{ ...await exportJWK(privateKey), kid: "a" }];
  const found = new ProviderKeys({ load: () => Promise.resolve({ keys }), cacheMs: CACHE_MS });
  const error = await found.find({ alg: "ES256", kid: "a" }).then(() => undefined, (error: Error) => error);
  assert(error?.message.includes("must be public keys"), error?.message);
});
