import { assert, assertEquals } from "../support/assert.ts";
import { startRegistry } from "../support/registry.ts";
import { audit } from "./audit.ts";
import { Connection } from "./connection.ts";
import { Model } from "./model.ts";
import { Random } from "./random.ts";
import { check, REPOSITORIES, runUnderFire, type Tally } from "./rounds.ts";

/** How often the server is killed. */
const ROUNDS = Number(Deno.env.get("SREG_CRASH_ROUNDS") ?? 20);

/** Repeats a run, as far as the moments of answers and kills repeat. */
const SEED = Number(Deno.env.get("SREG_CRASH_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);

/** Then a new store: what must be compared grows with every round. */
const ROUNDS_PER_STORE = 25;

const EXPIRY_WAIT_MS = 20_000;

/** How many files there are below a folder. */
async function countFiles(folder: string): Promise<number> {
  let files = 0;
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      files += isDirectory ? await countFiles(`${folder}/${name}`) : 1;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return files;
}

async function complainOfLeftovers(dataDir: string, model: Model): Promise<void> {
  const temporary = await countFiles(`${dataDir}/%temp`);
  if (temporary > 0) model.complain(`${temporary} temporary files are left over`);
  const uploads = await countFiles(`${dataDir}/uploads`);
  const expected = model.uploads.size + model.namelessUploads;
  if (uploads > expected) model.complain(`there are ${uploads} uploads, but only ${expected} can be`);
}

/** Lets a server remove the uploads that nobody goes on with; then nothing else may be missing. */
async function expireUploads(dataDir: string, model: Model): Promise<void> {
  await using server = await startRegistry({ dataDir, config: '[uploads]\nidle_timeout = "1s"\n' });
  const deadline = Date.now() + EXPIRY_WAIT_MS;
  while (await countFiles(`${dataDir}/uploads`) > 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assertEquals(await countFiles(`${dataDir}/uploads`), 0, "uploads are left over");
  using connection = new Connection(server.url);
  await audit(connection, model);
  assertEquals(model.violations, [], `after the uploads expired; the log:\n${server.log()}`);
}

/** Kills a server `rounds` times on one store. */
async function crashRepeatedly(dataDir: string, rounds: number, random: Random): Promise<Tally> {
  const model = new Model(REPOSITORIES);
  const tally = { requests: 0, resumed: 0, lost: 0 };
  for (let round = 1; round <= rounds + 1; round++) {
    const server = await startRegistry({ dataDir });
    try {
      await complainOfLeftovers(dataDir, model);
      const { resumed, lost } = await check(server.url, model, random);
      tally.resumed += resumed;
      tally.lost += lost;
      assertEquals(
        model.violations,
        [],
        `after ${round - 1} crashes on ${dataDir}; the log:\n${server.log()}`,
      );
      if (round <= rounds) tally.requests += await runUnderFire(server, model, random);
      assertEquals(model.violations, [], `before crash ${round} on ${dataDir}; the log:\n${server.log()}`);
    } finally {
      await server.stop();
    }
  }
  await expireUploads(dataDir, model);
  return tally;
}

Deno.test(`A server killed at random moments (SREG_CRASH_SEED=${SEED})`, async (t) => {
  const random = new Random(SEED);
  for (let first = 1; first <= ROUNDS; first += ROUNDS_PER_STORE) {
    const rounds = Math.min(ROUNDS_PER_STORE, ROUNDS - first + 1);
    const choices = random.fork();
    await t.step(`keeps what it acknowledged, and serves nothing half (${rounds} crashes)`, async () => {
      const dataDir = await Deno.makeTempDir({ prefix: "sreg-crash-" });
      const tally = await crashRepeatedly(dataDir, rounds, choices);
      assert(tally.requests > rounds, "the actors did nothing");
      const { requests, resumed, lost } = tally;
      console.log(`${requests} requests; ${resumed} uploads went on, ${lost} of them anew`);
      await Deno.remove(dataDir, { recursive: true });
    });
  }
});
