/**
 * Measures the rows of a scene on one server, or on several in turn: A B A B …, so that what disturbs the machine
 * disturbs all alike.
 *
 * @module
 */

import type { Target } from "./client.ts";
import { measure, median, type Run, type Sample, summarize, type Summary } from "./measure.ts";
import type { Row, Scene } from "./workloads.ts";

/** A server that was started, or found running. */
export interface Started extends Target, AsyncDisposable {}

/** A server to measure. */
export interface Contender {
  readonly name: string;
  /** Makes it ready, with its data in `folder`. */
  start(folder: string): Promise<Started>;
}

/** How a row is measured. */
export interface Pace {
  /** How long on each server, all rounds together. */
  readonly seconds: number;
  readonly rounds: number;
}

/** What one server did on one row. */
export type Result = Summary | { readonly unsupported: true } | { readonly error: string };

/** What all servers did on one row. */
export interface Outcome {
  readonly scene: string;
  readonly row: Row;
  /** In the order of the contenders. */
  readonly results: readonly Result[];
  /** The first server's rate by the second's: the median over the rounds. Above 1: the first is faster. */
  readonly ratio?: number;
}

const WARM_UP_SECONDS = 0.3;

interface Entrant {
  readonly target: Target;
  readonly runs: Readonly<Record<string, Run>>;
}

/** Starts and fills each contender anew for `scene`, and answers the outcome of each row that `wanted` picks. */
export async function holdScene(
  scene: Scene,
  contenders: readonly Contender[],
  options: { readonly pace: Pace; readonly wanted: (row: Row) => boolean },
): Promise<Outcome[]> {
  const rows = scene.rows.filter(options.wanted);
  if (rows.length === 0) return [];
  if (scene.alone) return await holdAlone(scene, contenders, rows);
  await using stack = new AsyncDisposableStack();
  const entrants: Entrant[] = [];
  for (const contender of contenders) entrants.push(await enter(scene, contender, stack));
  const outcomes: Outcome[] = [];
  for (const row of rows) outcomes.push(await holdRow(scene, row, { entrants, pace: options.pace }));
  return outcomes;
}

/** One contender after the other, each with the disk and the memory to itself. */
async function holdAlone(
  scene: Scene,
  contenders: readonly Contender[],
  rows: readonly Row[],
): Promise<Outcome[]> {
  const results: Result[][] = [];
  for (const contender of contenders) {
    await using stack = new AsyncDisposableStack();
    const entrant = await enter(scene, contender, stack);
    const pace = { seconds: 0, rounds: 1 };
    for (const [index, row] of rows.entries()) {
      const { results: [result] } = await holdRow(scene, row, { entrants: [entrant], pace });
      (results[index] ??= []).push(result!);
    }
  }
  return rows.map((row, index) => ({ scene: scene.name, row, results: results[index]! }));
}

async function enter(scene: Scene, contender: Contender, stack: AsyncDisposableStack): Promise<Entrant> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-bench-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  scene.check?.(folder);
  console.error(`${scene.name}: filling ${contender.name}`);
  const target = stack.use(await contender.start(folder));
  return { target, runs: await scene.seed(target).catch((error) => failEach(scene, error)) };
}

/** A server that cannot be filled fails the scene's rows, not the whole benchmark. */
function failEach(scene: Scene, error: unknown): Readonly<Record<string, Run>> {
  return Object.fromEntries(scene.rows.map(({ workload }) => [workload, () => Promise.reject(error)]));
}

async function holdRow(
  scene: Scene,
  row: Row,
  contest: { readonly entrants: readonly Entrant[]; readonly pace: Pace },
): Promise<Outcome> {
  const { entrants, pace } = contest;
  console.error(`${scene.name}: ${row.workload}, ${row.connections} connections`);
  const rounds: (Sample | Error)[][] = entrants.map(() => []);
  if (pace.seconds > 0) await warmUp(row, entrants);
  for (let round = 0; round < pace.rounds; round++) {
    for (const [index, entrant] of entrants.entries()) {
      rounds[index]!.push(await sample(row, entrant, pace));
    }
  }
  const results = entrants.map(({ runs }, index) => resultOf(runs[row.workload], rounds[index]!));
  const ratio = ratioOf(rounds);
  return { scene: scene.name, row, results, ...(ratio !== undefined && { ratio }) };
}

async function warmUp(row: Row, entrants: readonly Entrant[]): Promise<void> {
  const pace = { seconds: WARM_UP_SECONDS, rounds: 1 };
  for (const entrant of entrants) await sample({ ...row, connections: 1 }, entrant, pace);
}

async function sample(row: Row, { target, runs }: Entrant, pace: Pace): Promise<Sample | Error> {
  const run = runs[row.workload];
  if (run === undefined) return new Error("not supported");
  if (row.requestsMax !== undefined) await settleDisk();
  try {
    return await measure(target, run, { ...row, seconds: pace.seconds / pace.rounds });
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Writes back what the last one left in memory, so that the next does not pay for it. */
async function settleDisk(): Promise<void> {
  await new Deno.Command("sync").output();
}

function resultOf(run: Run | undefined, samples: readonly (Sample | Error)[]): Result {
  if (run === undefined) return { unsupported: true };
  const failed = samples.find((one) => one instanceof Error);
  return failed ? { error: failed.message } : summarize(samples.filter(isSample));
}

function ratioOf([first, second]: readonly (Sample | Error)[][]): number | undefined {
  if (!first?.every(isSample) || !second?.every(isSample)) return undefined;
  return median(first.map((one, round) => rate(one) / rate(second[round]!)));
}

function isSample(one: Sample | Error): one is Sample {
  return !(one instanceof Error);
}

function rate({ latenciesMs, seconds }: Sample): number {
  return latenciesMs.length / seconds;
}
