/**
 * Shows the password plugin a wrong password as often as the first argument says, and prints how much memory this process
 * had after the first time and at most, in bytes: `{ firstBytes, peakBytes }`.
 *
 * @module
 */

import { hashArgon2id } from "./hashes.ts";
import { startPassword } from "./scene.ts";

const password = await hashArgon2id("secret", { memoryKib: 19_456, passes: 2 });
await using scene = await startPassword({ identities: [{ id: "ann", username: "ann", password }] });

async function measure(): Promise<number> {
  await scene.signIn("ann", "wrong");
  return Deno.memoryUsage().rss;
}

const firstBytes = await measure();
let peakBytes = firstBytes;
for (let i = 1; i < Number(Deno.args[0]); i++) peakBytes = Math.max(peakBytes, await measure());
console.log(JSON.stringify({ firstBytes, peakBytes }));
