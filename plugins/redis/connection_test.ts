import process from "node:process";
import { assertEquals } from "../../tests/support/assert.ts";
import { Connection } from "./connection.ts";
import { readSettings } from "./settings.ts";

Deno.test("call() lets as many wait for Redis as there are calls, and warns of nothing", async () => {
  const warnings: string[] = [];
  const hear = ({ name }: Error) => void warnings.push(name);
  process.on("warning", hear);
  const connection = await Connection.open(readSettings({ url: "redis://127.0.0.1:1", key_prefix: "" }));
  const calls = Array.from({ length: 20 }, () => connection.call((client) => client.ping(), { waitMs: 50 }));
  const outcomes = await Promise.allSettled(calls);
  connection.client.disconnect();
  process.off("warning", hear);
  assertEquals(outcomes.map(({ status }) => status), Array(20).fill("rejected"));
  assertEquals(warnings, []);
});
