/**
 * The proof of collection: servers are under load and killed while they collect, and in the end exactly what is needed is
 * there.
 *
 * @module
 */

import type { Storage } from "../../plugins/contract/storage.ts";
import { audit } from "../crash/audit.ts";
import type { ManifestModel, RepositoryModel } from "../crash/model.ts";
import { Random } from "../crash/random.ts";
import { type Moment, moment } from "../crash/register.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { act, someTags } from "./actor.ts";
import { duel, stayOnTheBrink } from "./brink.ts";
import { Cluster } from "./cluster.ts";
import { collect, collectOn } from "./collector.ts";
import { LeakWatch } from "./leaks.ts";
import { Lookout } from "./lookout.ts";
import { deleteManifest } from "./manifest_requests.ts";
import { Promises } from "./promises.ts";
import { push } from "./pushes.ts";
import { sendSlowly } from "./slow_upload.ts";
import { Tally } from "./tally.ts";
import { circle } from "./vulture.ts";
import { listUnfinished, type Walk, walk } from "./walk.ts";
import type { Witness } from "./witness.ts";
import { createWorld, type World } from "./world.ts";

/** Repeats the choices of a run, but not the moments of answers. */
export const SEED = Number(
  Deno.env.get("SREG_GARBAGE_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0],
);

/** What has to have happened for the proof to be one; what is rare, in a run that is long enough. */
const FREQUENT = ["pushes", "unlinked (gc)", "blobs (gc)"];
const RARE = ["condemned links that were saved"];
const RARE_AFTER_S = 30;

const GRACE_MS = 2_000;
const ACTORS = 16;
const VULTURES = 12;
const KILL_EVERY_MS = { least: 3_000, most: 9_000 };
const DOWN_MAX_MS = 1_200;
const BOTH_CHANCE = 0.2;
const LOOK_EVERY_MS = 300;
const MEMORY_MS = 60_000;
const QUIET_MAX_MS = 120_000;

const CONFIG = `
[garbage]
grace = "${GRACE_MS / 1_000}s"
[uploads]
idle_timeout = "5m"
[jobs]
lease_lifetime = "1s"
keep = 20
[schedule]
gc = "off"
[log]
level = "warn"
`;

const LAST_CONFIG = CONFIG.replace("5m", "1s");

/** What the proof is over. */
export interface Site {
  /** What it is called. */
  readonly name: string;
  /** How many servers. */
  readonly servers: number;
  /** How long they are under load, in seconds; `SREG_GARBAGE_SECONDS` says something else. */
  readonly seconds: number;
  /** The folder in which each object of the store is a file under its key. */
  readonly folder: string;
  /** Of the servers' configuration file: which store they have. */
  readonly store: string;
  /** The store, for whoever looks at all of it while no server works on it. */
  readonly storage: Storage;
}

/** All of a run. */
interface Run extends Witness {
  readonly cluster: Cluster;
  readonly world: World;
  readonly site: Site;
}

/** Works on the servers until the time is over, or something is wrong. */
async function runUnderLoad(run: Run): Promise<void> {
  const { model, random, world, site, tally } = run;
  const end = new AbortController();
  const deadline = performance.now() + secondsOf(site) * 1_000;
  const lookout = new Lookout(world, { folder: site.folder, graceMs: GRACE_MS, tally });
  const fork = (): Witness => ({ ...run, random: random.fork() });
  const work = [
    ...Array.from({ length: ACTORS }, () => act(fork(), world, end.signal)),
    circle(fork(), { lookout, clients: VULTURES }, end.signal),
    ...world.duels.map((place) => duel(fork(), place, end.signal)),
    ...world.brinks.map((blobs) =>
      stayOnTheBrink(fork(), { repository: world.brink, blobs, lookout }, end.signal)
    ),
    sendSlowly(fork(), end.signal),
    collectOn(run, end.signal),
    killOn(run, end.signal),
    forgetOn(model.repositories, end.signal),
  ];
  const leaks = new LeakWatch(model, site.folder);
  const works = Promise.all(work.map((task) => task.catch((error) => model.complain(error.stack))));
  while (performance.now() < deadline && model.violations.length === 0) {
    await pause(LOOK_EVERY_MS);
    leaks.look();
  }
  end.abort();
  await works;
}

/** Kills a server now and then, sometimes all of them, and starts it again. */
async function killOn({ cluster, random, site: { servers } }: Run, signal: AbortSignal): Promise<void> {
  const choices = random.fork();
  const killOne = async (index: number) => {
    await cluster.kill(index);
    await pause(choices.below(DOWN_MAX_MS));
    await cluster.revive(index);
  };
  while (!signal.aborted) {
    const { least, most } = KILL_EVERY_MS;
    await pause(least + choices.below(most - least), signal);
    if (signal.aborted) return;
    const first = choices.below(servers);
    const others = Array.from({ length: servers }, (_, index) => index).filter((index) => index !== first);
    const victims = choices.chance(BOTH_CHANCE) ? [first, ...others] : [first];
    await Promise.all(victims.map(killOne));
  }
}

/** Forgets what no request that is under way can ask for. */
async function forgetOn(repositories: readonly RepositoryModel[], signal: AbortSignal): Promise<void> {
  let before: Moment = moment();
  while (!signal.aborted) {
    const next = moment();
    await pause(MEMORY_MS, signal);
    for (const { blobs, manifests, tags } of repositories) {
      const presences = [...manifests.values()].map(({ present }) => present);
      for (const register of [...blobs.values(), ...presences, ...tags.values()]) register.forget(before);
    }
    before = next;
  }
}

/** Collects until there is nothing to do, with nobody but collection at work. */
async function settleDown(run: Run): Promise<void> {
  const { cluster, model, site: { servers, storage, store } } = run;
  await cluster.stop();
  for (let index = 0; index < servers; index++) await cluster.revive(index, LAST_CONFIG + store);
  const deadline = performance.now() + QUIET_MAX_MS;
  while (performance.now() < deadline) {
    await collect(run);
    if ((await listUnfinished(storage)).length === 0) return;
  }
  model.complain(`After ${QUIET_MAX_MS} ms there is still to do: ${await listUnfinished(storage)}`);
}

/** From now on a repository has exactly the blobs that its manifests refer to. */
async function expectReachable({ cluster, model }: Run): Promise<void> {
  for (const { name, blobs, manifests } of model.repositories) {
    const readable = await readableOf(cluster, name, [...manifests.values()]);
    const reachable = new Set(readable.flatMap((manifest) => manifest.blobs));
    for (const [digest, register] of blobs) register.settle(reachable.has(digest));
  }
}

async function readableOf(cluster: Cluster, name: string, manifests: readonly ManifestModel[]) {
  const found: ManifestModel[] = [];
  for (const manifest of manifests) {
    const { status } = await cluster.send("GET", `/v2/${name}/manifests/${manifest.digest}`);
    if (status === 200) found.push(manifest);
  }
  return found;
}

async function pushBallast(run: Run): Promise<void> {
  await Promise.all(run.world.repositories.map(async (repository) => {
    for (const digest of run.world.ballast) {
      await push(run, { repository, manifest: repository.manifests.get(digest)! }, []);
    }
  }));
}

/** Deletes half, so that there is something to collect, and something to keep, with nobody in the way. */
async function deleteHalf(run: Run): Promise<void> {
  const families = run.world.families.filter((_, index) => index % 2 === 0);
  for (const repository of run.world.repositories) {
    for (const digest of families.flatMap(({ manifests }) => manifests)) {
      const manifest = repository.manifests.get(digest)!;
      if (manifest.present.mayBe(true)) await deleteManifest(run, { repository, manifest });
    }
  }
}

/** Pushes something of each family, so that something is there that must stay. */
async function pushSome(run: Run): Promise<void> {
  for (const repository of run.world.repositories) {
    for (const { manifests } of run.world.families) {
      const manifest = repository.manifests.get(run.random.pick(manifests)!)!;
      await push(run, { repository, manifest }, someTags(run));
    }
  }
}

async function proveWith(run: Run): Promise<Walk> {
  const { cluster, model, site, tally } = run;
  const requireInnocence = (when: string) =>
    assertEquals(
      model.violations.slice(0, 10),
      [],
      `${when}, ${tally.format()}, on ${site.folder}\n${cluster.logs()}`,
    );
  await pushBallast(run);
  requireInnocence("before the load");
  const startedMs = performance.now();
  await runUnderLoad(run);
  requireInnocence(`after ${Math.round(performance.now() - startedMs)} ms under load`);
  await pushSome(run);
  await deleteHalf(run);
  await settleDown(run);
  requireInnocence("when all was collected");
  await expectReachable(run);
  for (const connection of cluster.connections()) await audit(connection, model);
  requireInnocence("when all was quiet");
  await cluster.stop();
  const found = await walk(site.storage, model.repositories);
  assertEquals(found.problems, [], `on ${site.folder}, ${tally.format()}`);
  return found;
}

/** Collects beside pushes and kills, and holds what is left against what must be. */
export async function proveCollection(site: Site): Promise<void> {
  const { name, servers, folder, store } = site;
  const random = new Random(SEED + servers);
  const world = createWorld({ random, graceMs: GRACE_MS });
  const { model } = world;
  await using cluster = await Cluster.start({
    count: servers,
    dataDir: folder,
    config: CONFIG + store,
    random: random.fork(),
    complain: (violation) => model.complain(violation),
  });
  const tally = new Tally();
  const promises = new Promises(GRACE_MS);
  const { manifests, links, blobs, announcements } = await proveWith(
    { cluster, model, promises, random, tally, world, site },
  );
  for (const what of [...FREQUENT, ...(secondsOf(site) < RARE_AFTER_S ? [] : RARE)]) {
    assert(tally.of(what) > 0, `the test is without ${what}`);
  }
  console.log(`${name}: ${cluster.sent} requests, ${cluster.kills} kills, ${tally.format()}`);
  console.log(`left: ${manifests} manifests, ${links} links, ${blobs} blobs, ${announcements} announcements`);
}

function secondsOf({ seconds }: Site): number {
  return Number(Deno.env.get("SREG_GARBAGE_SECONDS") ?? seconds);
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
