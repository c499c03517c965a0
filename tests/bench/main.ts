/**
 * `deno task bench`: measures a running registry, one that it starts, or two side by side.
 *
 * @module
 */

import { startRegistry } from "../support/registry.ts";
import { ACCESS_ROWS, accessMatches } from "./access.ts";
import { type Arguments, parseArguments, USAGE } from "./arguments.ts";
import { type Contender, holdScene, type Outcome, type Started } from "./contest.ts";
import { contendersOverS3 } from "./over_s3.ts";
import { PEER_PROGRAM, startPeer } from "./peer.ts";
import { formatComparison, formatFigures, formatJson } from "./report.ts";
import { createScenes, type Row, type Scene } from "./workloads.ts";

const ROUNDS = 5;

const SREG: Contender = { name: "sreg", start: startSreg };
const OPEN: Contender = { name: "open", start: startSreg };
const PEER: Contender = { name: PEER_PROGRAM, start: startPeer };

if (import.meta.main) Deno.exit(await main());

async function main(): Promise<number> {
  let args: Arguments;
  try {
    args = parseArguments(Deno.args);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  return await bench(args);
}

async function bench(args: Arguments): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const matches = args.choice.kind === "access" ? accessMatches(OPEN) : [await contendersOf(args, stack)];
  if (matches[0]!.length === 0) {
    console.log(USAGE);
    return 2;
  }
  const codes: number[] = [];
  for (const contenders of matches) codes.push(await hold(args, contenders));
  return Math.max(...codes);
}

async function hold(args: Arguments, contenders: readonly Contender[]): Promise<number> {
  const pace = { seconds: args.seconds, rounds: contenders.length > 1 ? ROUNDS : 1 };
  const outcomes: Outcome[] = [];
  const only = args.choice.kind === "access" ? ACCESS_ROWS : args.only;
  for (const scene of createScenes(args.sizes).filter(({ alone }) => alone === args.memory)) {
    const wanted = (row: Row) => only.test(rowTitle(scene, row)) && args.only.test(rowTitle(scene, row));
    outcomes.push(...await holdScene(scene, contenders, { pace, wanted }));
  }
  const names = contenders.map(({ name }) => name);
  console.log(formatAll(outcomes, names));
  if (args.jsonFile !== undefined) await Deno.writeTextFile(args.jsonFile, formatJson(outcomes, names));
  return reportFailures(outcomes, names);
}

async function contendersOf(
  { choice, storage }: Arguments,
  stack: AsyncDisposableStack,
): Promise<Contender[]> {
  const isStarted = choice.kind === "peer" || choice.kind === "start";
  if (isStarted) {
    const [sreg, peer] = storage === "s3" ? await contendersOverS3(stack) : [SREG, PEER];
    return choice.kind === "peer" ? [sreg, peer] : [sreg];
  }
  if (choice.kind !== "url") return [];
  const found: Started = { ...choice, [Symbol.asyncDispose]: () => Promise.resolve() };
  return [{ name: choice.url, start: () => Promise.resolve(found) }];
}

async function startSreg(folder: string): Promise<Started> {
  const registry = await startRegistry({ dataDir: `${folder}/data` });
  return {
    url: registry.url,
    pid: registry.pid,
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

function rowTitle(scene: Scene, row: Row): string {
  return `${scene.name}: ${row.workload}, ${row.connections} connections`;
}

function formatAll(outcomes: readonly Outcome[], names: readonly string[]): string {
  const [first, second] = names;
  const figures = names.map((name, index) => `${name}\n\n${formatFigures(outcomes, index)}`);
  if (first === undefined || second === undefined) return figures.join("");
  return [formatComparison(outcomes, [first, second]), ...figures].join("\n\n");
}

/** Says on standard error what did not work. Answers the exit code. */
function reportFailures(outcomes: readonly Outcome[], names: readonly string[]): number {
  const failures = outcomes.flatMap(({ row, results }) =>
    results.flatMap((result, index) =>
      "error" in result ? [`${names[index]}: ${row.workload}, ${row.connections}: ${result.error}`] : []
    )
  );
  for (const failure of failures) console.error(failure);
  return failures.length > 0 ? 1 : 0;
}
