import { assertEquals, assertRejects } from "../../../tests/support/assert.ts";
import { WaitingLine } from "./waiting_line.ts";

const MANY = { waitingMax: 64, waitMs: 60_000 };

Deno.test("WaitingLine lets one act at a time, in their order, and goes on after a failure", async () => {
  const line = new WaitingLine(MANY);
  const seen: string[] = [];
  let acting = 0;
  const act = (name: string) => async () => {
    seen.push(`${name} ${acting++}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
    acting--;
    if (name === "b") throw new Error("b broke");
    return name;
  };
  const results = await Promise.allSettled(["a", "b", "c", "d"].map((name) => line.run(act(name))));
  assertEquals(seen, ["a 0", "b 0", "c 0", "d 0"]);
  assertEquals(
    results.map((result) => result.status === "fulfilled" ? result.value : result.reason.message),
    [
      "a",
      "b broke",
      "c",
      "d",
    ],
  );
});

Deno.test("WaitingLine refuses whoever comes when it is full, and has room again afterwards", async () => {
  const line = new WaitingLine({ ...MANY, waitingMax: 2 });
  const gate = Promise.withResolvers<void>();
  const waiting = [line.run(() => gate.promise), line.run(() => "second")];
  await assertRejects(line.run(() => "third"), {
    name: "PluginError",
    code: "unavailable",
    message: "Cannot check a password: 2 others wait",
  });
  gate.resolve();
  assertEquals(await Promise.all(waiting), [undefined, "second"]);
  assertEquals(await line.run(() => "fourth"), "fourth");
});

Deno.test("WaitingLine does not act for one that has waited for too long", async () => {
  const line = new WaitingLine({ ...MANY, waitMs: 20 });
  const first = line.run(() => new Promise((resolve) => setTimeout(resolve, 40)));
  const late = line.run(() => {
    throw new Error("it acted");
  });
  await assertRejects(late, {
    code: "unavailable",
    message: /^Cannot check a password: it waited for \d+ ms$/,
  });
  await first;
});

Deno.test("WaitingLine leaves the thread to other work between two acts", async () => {
  const line = new WaitingLine(MANY);
  const seen: string[] = [];
  const acts = ["a", "b", "c"].map((name) => line.run(() => void seen.push(name)));
  acts[0]!.then(() => setTimeout(() => seen.push("other work"), 0));
  await Promise.all(acts);
  assertEquals(seen, ["a", "other work", "b", "c"]);
});
