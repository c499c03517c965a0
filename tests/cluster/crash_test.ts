/** Replicas that are killed in the middle of pushes, while the others go on. */

import { audit } from "../crash/audit.ts";
import { Connection } from "../crash/connection.ts";
import { Model } from "../crash/model.ts";
import { Random } from "../crash/random.ts";
import { check, REPOSITORIES, runUnderFire, type Tally } from "../crash/rounds.ts";
import { assert, assertEquals } from "../support/assert.ts";
import {
  CAN_CLUSTER,
  CLUSTER_PROGRAMS,
  type RunningCluster,
  startCluster,
  startGround,
} from "../support/cluster.ts";
import { askS3 } from "../support/s3_server.ts";

/** How often a replica is killed. */
const ROUNDS = Number(Deno.env.get("SREG_CRASH_ROUNDS") ?? 5);

/** Repeats a run, as far as the moments of answers and kills repeat. */
const SEED = Number(Deno.env.get("SREG_CRASH_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);

const QUIET = `[log]\nlevel = "warn"\n`;
const REQUESTS_AFTER_KILL = 60;
const EXPIRY_WAIT_MS = 20_000;

/** Kills one replica after the other, each while all are at work. */
async function crashRepeatedly(cluster: RunningCluster, model: Model, random: Random): Promise<Tally> {
  const tally = { requests: 0, resumed: 0, lost: 0 };
  const requireInnocence = (when: string) =>
    assertEquals(model.violations, [], `${when}, on ${cluster.folder}; the log:\n${cluster.log()}`);
  for (let round = 1; round <= ROUNDS; round++) {
    const victim = random.below(cluster.size);
    tally.requests += await runUnderFire(
      { url: cluster.url, kill: () => cluster.kill(victim), goOn: REQUESTS_AFTER_KILL },
      model,
      random,
    );
    requireInnocence(`around crash ${round}`);
    await cluster.restart(victim);
    const { resumed, lost } = await check(cluster.url, model, random);
    tally.resumed += resumed;
    tally.lost += lost;
    requireInnocence(`after crash ${round}`);
  }
  return tally;
}

/** Lets replicas remove the uploads that nobody goes on with; then nothing else may be missing, and no part left. */
async function expireUploads(cluster: RunningCluster, model: Model): Promise<void> {
  for (let index = 0; index < cluster.size; index++) {
    await cluster.restart(index, `${QUIET}[uploads]\nidle_timeout = "1s"\n`);
  }
  const deadline = Date.now() + EXPIRY_WAIT_MS;
  while (await countUploads(cluster) > 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assertEquals(await countUploads(cluster), 0, "uploads are left over");
  assertEquals(await openMultiparts(cluster), [], "uploads in parts were begun and not ended");
  using connection = new Connection(cluster.url);
  await audit(connection, model);
  assertEquals(model.violations, [], `after the uploads expired; the log:\n${cluster.log()}`);
}

async function countUploads({ folder }: RunningCluster, path = "uploads"): Promise<number> {
  let files = 0;
  try {
    for await (const { name, isDirectory } of Deno.readDir(`${folder}/${path}`)) {
      files += isDirectory ? await countUploads({ folder } as RunningCluster, `${path}/${name}`) : 1;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return files;
}

/** The keys of uploads in parts that the store still keeps parts of. */
async function openMultiparts({ ground: { s3 } }: RunningCluster): Promise<string[]> {
  const answer = await askS3(s3, { method: "GET", target: `/${s3.bucket}?uploads=` });
  const text = await answer.text();
  assertEquals(answer.status, 200, text);
  return [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key!);
}

Deno.test({
  name: `Replicas killed at random moments (SREG_CRASH_SEED=${SEED}) ${CLUSTER_PROGRAMS}`,
  ignore: !CAN_CLUSTER,
  async fn(t) {
    await using ground = await startGround();
    await using cluster = await startCluster({ ground, config: QUIET });
    const model = new Model(REPOSITORIES);
    await t.step(`lose nothing that was acknowledged (${ROUNDS} crashes)`, async () => {
      const { requests, resumed, lost } = await crashRepeatedly(cluster, model, new Random(SEED));
      assert(requests > ROUNDS * REQUESTS_AFTER_KILL, "the actors did nothing");
      console.log(`${requests} requests; ${resumed} uploads went on, ${lost} of them anew`);
    });
    await t.step("leave no upload behind once those that nobody goes on with have expired", async () => {
      await expireUploads(cluster, model);
    });
  },
});
