/** Plugins that are broken: what the core sees of it, and that it goes on. */

import type { PluginError } from "../../plugins/contract/error.ts";
import type { Bytes } from "../../plugins/contract/storage.ts";
import { assertEquals, assertMatch, assertRejects } from "../support/assert.ts";
import type { Breakage } from "./fixtures/plugins/broken.ts";
import { HEALTHY, openStage, SHORT, type Stage, WALLS } from "./scene.ts";

type Wall = (typeof WALLS)[number];

function openBroken(isolation: Wall, breakage: Breakage): Promise<Stage> {
  const limits = { ...SHORT, startMs: breakage.start === undefined ? 30_000 : 3_000, callMs: 500 };
  return openStage({ plugin: "broken", isolation, options: { ...breakage }, limits });
}

/** What a call came to: its answer, or "code: message". */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    const { code, message } = error as PluginError;
    return `${code}: ${message}`;
  }
}

const STARTS: readonly (readonly [start: NonNullable<Breakage["start"]>, reason: string])[] = [
  ["throws", "Error: thrown by create"],
  ["rejects", "the store is not there"],
  ["hangs", "it did not start within 3000 ms"],
  ["answers nothing", "TypeError: its create answered no object"],
  ["lacks a method", "it has no method move, list"],
];

const LIES: readonly (readonly [
  method: "stat" | "get" | "open" | "list" | "listPage" | "move",
  answer: unknown,
  reason: string,
])[] = [
  ["list", null, "expected a list of at most 10000 items, found null"],
  ["list", "a", "expected a list of at most 10000 items, found a"],
  ["list", ["a", 1], "expected a text, found 1"],
  ["list", ["a".repeat(9000)], `expected a text, found ${"a".repeat(80)}`],
  [
    "list",
    Array.from({ length: 10_001 }, () => "a"),
    "expected a list of at most 10000 items, found another object",
  ],
  ["listPage", ["a"], "expected an object, found another object"],
  ["listPage", { keys: ["a"] }, "expected a boolean, found undefined"],
  ["listPage", { keys: ["a", 1], more: true }, "expected a text, found 1"],
  ["listPage", { keys: [], more: true }, "expected keys, since more follow, found none"],
  [
    "listPage",
    { keys: Array.from({ length: 10_001 }, () => "a"), more: true },
    "expected a list of at most 10000 items, found another object",
  ],
  ["move", "true", "expected a boolean, found true"],
  ["move", null, "expected a boolean, found null"],
  ["get", { size: 0, modifiedAtMs: 1, etag: "a" }, "TypeError: Cannot answer: its bytes is no bytes"],
  ["open", { size: 0, modifiedAtMs: 1 }, "TypeError: Cannot answer: its body is no stream"],
  ["open", { size: 0, modifiedAtMs: 1, body: "text" }, "TypeError: Cannot answer: its body is no stream"],
];

const STAT_LIES: readonly (readonly [answer: unknown, reason: string])[] = [
  [null, "expected an object, found null"],
  [7, "expected an object, found 7"],
  [{}, "expected a time, found undefined"],
  [{ size: -1, modifiedAtMs: 1 }, "expected a length, found -1"],
  [{ size: 1.5, modifiedAtMs: 1 }, "expected a length, found 1.5"],
  [{ size: "1", modifiedAtMs: 1 }, "expected a length, found 1"],
  [{ size: 2 ** 60, modifiedAtMs: 1 }, `expected a length, found ${2 ** 60}`],
  [{ size: 1, modifiedAtMs: "now" }, "expected a time, found now"],
];

const FAILURES: readonly (readonly [fails: NonNullable<Breakage["fails"]>, outcome: string])[] = [
  ["throws", "failed: Error: thrown by stat"],
  ["rejects", "failed: Error: rejected by stat"],
  ["text", "failed: a text"],
  ["nothing", "failed: undefined"],
  ["unavailable", "unavailable: Cannot stat: the store is not there"],
  ["strange code", "failed: PluginError: strange"],
  ["hostile error", "failed: an error that cannot be described"],
];

const BODIES: readonly (readonly [body: NonNullable<Breakage["body"]>, outcome: RegExp])[] = [
  ["breaks", /^unavailable: Cannot read: the disk broke$/],
  ["is too long", /^failed: Cannot read an object: the plugin sent more than it promised$/],
  ["is too short", /^failed: Cannot read an object: the plugin sent less than it promised$/],
  ["stops", /^unavailable: Cannot read: storage plugin "broken" did not go on with its stream in time$/],
  ["has text", /^failed: TypeError/],
];

for (const isolation of WALLS) {
  for (const [start, reason] of STARTS) {
    Deno.test(`a plugin in a ${isolation} whose start ${start} is refused by name and reason`, async () => {
      await assertRejects(openBroken(isolation, { start }), {
        message: `Cannot start storage plugin "broken": ${reason}`,
      });
    });
  }

  Deno.test(`a plugin in a ${isolation} that exits while it starts is refused by name and reason`, async () => {
    await assertRejects(openBroken(isolation, { start: "exits" }), {
      message: isolation === "process"
        ? 'Cannot start storage plugin "broken": it ended with status 3'
        : 'Cannot start storage plugin "broken": it did not start within 3000 ms',
    });
  });

  for (const [method, answer, reason] of LIES) {
    const shown = JSON.stringify(answer)?.slice(0, 40);
    Deno.test(`${method}() of a plugin in a ${isolation} that answers ${shown} fails`, async () => {
      await using stage = await openBroken(isolation, { answers: { [method]: answer } });
      const { storage } = stage;
      const calls = {
        list: () => storage.list("", { limit: 10_000 }),
        listPage: () => storage.listPage!("", { limit: 10_000 }),
        move: () => storage.move("a", "b"),
        get: () => storage.get("a"),
        open: () => storage.open("a"),
        stat: () => storage.stat("a"),
      };
      assertMatch(`${await outcome(calls[method]())}`, new RegExp(`^failed: .*${escape(reason)}$`));
      assertEquals(await storage.stat("healthy"), HEALTHY);
    });
  }

  Deno.test(`stat() of a plugin in a ${isolation} fails whatever shape its answer has but the contract's`, async (test) => {
    for (const [answer, reason] of STAT_LIES) {
      await test.step(JSON.stringify(answer), async () => {
        await using stage = await openBroken(isolation, { answers: { stat: answer } });
        assertEquals(
          await outcome(stage.storage.stat("a")),
          `failed: Cannot stat: storage plugin "broken": its answer is malformed: ${reason}`,
        );
      });
    }
  });

  for (const answer of ["a function", "a cycle", "a big number"] as const) {
    Deno.test(`an answer of a plugin in a ${isolation} with ${answer} fails or loses it`, async () => {
      await using stage = await openBroken(isolation, { answer });
      const came = await outcome(stage.storage.stat("a"));
      if (isolation === "worker" && answer === "a cycle") assertEquals(came, { size: 1, modifiedAtMs: 1 });
      else assertMatch(`${came}`, /^failed: /);
      assertEquals(await stage.storage.stat("healthy"), HEALTHY);
    });
  }

  for (const [fails, expected] of FAILURES) {
    Deno.test(`an error of a plugin in a ${isolation} that is ${fails} arrives as ${expected}`, async () => {
      await using stage = await openBroken(isolation, { fails });
      assertEquals(await outcome(stage.storage.stat("a")), expected);
      assertEquals(await stage.storage.stat("healthy"), HEALTHY);
      assertEquals(stage.plugin.facts().restarts, 0);
    });
  }

  for (const [body, expected] of BODIES) {
    Deno.test(`a body of a plugin in a ${isolation} that ${body} fails who reads it`, async () => {
      await using stage = await openBroken(isolation, { body });
      const opened = await stage.storage.open("a");
      assertMatch(`${await outcome(new Response(opened!.body).bytes())}`, expected);
      assertEquals(await stage.storage.stat("healthy"), HEALTHY);
    });
  }

  Deno.test(`an empty chunk in the body of a plugin in a ${isolation} is no chunk`, async () => {
    await using stage = await openBroken(isolation, { body: "has an empty chunk" });
    const opened = await stage.storage.open("a");
    assertEquals(await new Response(opened!.body).bytes(), new Uint8Array(10));
  });

  Deno.test(`append() ends its source when a plugin in a ${isolation} fails or reads no further`, async (test) => {
    for (const append of ["ignores", "reads one chunk", "fails"] as const) {
      await test.step(append, async () => {
        await using stage = await openBroken(isolation, { append });
        const ended = Promise.withResolvers<void>();
        const body: Bytes = new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
          cancel: () => ended.resolve(),
        });
        assertEquals(
          await outcome(stage.storage.append("a", 0, body)),
          append === "fails" ? "unavailable: Cannot append: the disk is full" : { size: 1 },
        );
        await ended.promise;
        assertEquals(await stage.storage.stat("healthy"), HEALTHY);
      });
    }
  });

  Deno.test(`append() fails with its source's own error when that breaks, behind a ${isolation}`, async () => {
    await using stage = await openBroken(isolation, { append: "reads one chunk" });
    const broken = new Error("the client went away");
    const body: Bytes = new ReadableStream({ start: (controller) => controller.error(broken) });
    await assertRejects(stage.storage.append("a", 0, body), broken);
  });

  Deno.test(`a plugin in a ${isolation} that is slow fails its call in time, and its late answer harms nobody`, async () => {
    await using stage = await openBroken(isolation, { slowMs: 4_000 });
    assertEquals(
      await outcome(stage.storage.stat("a")),
      'unavailable: Cannot stat: storage plugin "broken" did not answer in time',
    );
    const end = performance.now() + 3_000;
    while (performance.now() < end) assertEquals(await stage.storage.stat("healthy"), HEALTHY);
    assertEquals(stage.plugin.facts().restarts, 0);
  });

  Deno.test(`a plugin in a ${isolation} that is closed fails what is under way and what follows`, async () => {
    const stage = await openBroken(isolation, { slowMs: 60_000 });
    const waiting = outcome(stage.storage.stat("a"));
    await stage.plugin.close();
    assertEquals(await waiting, 'unavailable: Cannot stat: storage plugin "broken" was stopped');
    assertEquals(
      await outcome(stage.storage.stat("healthy")),
      'unavailable: Cannot stat: storage plugin "broken" is down',
    );
  });
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
