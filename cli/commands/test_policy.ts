import { readConfig } from "../../server/config/mod.ts";
import { configuredIdentities } from "../../server/policy_trial.ts";
import { type PolicyCase, readCases } from "../cases.ts";
import { askServer } from "../client.ts";
import { type Answer, askTrial, openTrial } from "../judge.ts";
import { orMisuse } from "../misuse.ts";
import { harmless, paint, write, writeJson } from "../output.ts";
import { formatTable } from "../table.ts";

/** The flags of `sregctl policy test`. */
export interface TestFlags {
  readonly config?: readonly string[] | undefined;
  readonly server?: string | undefined;
  readonly json?: true | undefined;
}

interface Result extends Answer {
  readonly case: PolicyCase;
  /** Why it fails; absent: it does not. */
  readonly failure?: string;
}

/** Runs the cases of files; answers the exit code. */
export async function testPolicy(files: readonly string[], flags: TestFlags): Promise<number> {
  const { cases, answers } = flags.server === undefined
    ? await runHere(files, flags)
    : await runThere(files, flags, flags.server);
  const results = cases.map((item, index) => judge(item, answers[index]!));
  if (flags.json) writeJson(asJson(results));
  else write(await formatResults(results));
  return results.some(({ failure }) => failure !== undefined) ? 1 : 0;
}

interface Run {
  readonly cases: readonly PolicyCase[];
  readonly answers: readonly Answer[];
}

async function runHere(files: readonly string[], { config }: TestFlags): Promise<Run> {
  await using trial = await openTrial(config);
  const cases = await orMisuse("the cases", readCases(files, trial.identities));
  return { cases, answers: await askTrial(trial, cases.map(({ question }) => question)) };
}

/** A configuration says here only who the identities are that cases name. */
async function runThere(files: readonly string[], { config }: TestFlags, server: string): Promise<Run> {
  const identities = config
    ? configuredIdentities((await orMisuse("the configuration", readConfig({ files: config }))).config)
    : new Map();
  const cases = await orMisuse("the cases", readCases(files, identities));
  return { cases, answers: await askServer(server, cases.map(({ question }) => question)) };
}

function judge(item: PolicyCase, answer: Answer): Result {
  const { expected, rule } = item;
  const decided = `${answer.rule}: ${answer.reason}`;
  if (answer.effect !== expected) {
    return { case: item, ...answer, failure: `expected ${expected}, found ${answer.effect} by ${decided}` };
  }
  if (rule === undefined || rule === answer.rule) return { case: item, ...answer };
  return { case: item, ...answer, failure: `expected ${expected} by ${rule}, found it by ${decided}` };
}

async function formatResults(results: readonly Result[]): Promise<string> {
  const rows = results.map(({ case: { name, expected }, effect, rule, failure }) => {
    const tone = failure === undefined ? "good" : "bad";
    return [{ text: failure === undefined ? "ok" : "FAIL", tone } as const, name, expected, effect, rule];
  });
  const table = await formatTable(["", "case", "expected", "decision", "deciding rule"], rows);
  const failed = results.filter(({ failure }) => failure !== undefined);
  const warnings = results.flatMap(({ case: { name }, warnings }) =>
    warnings.map((warning) => `${harmless(name)}: ${harmless(warning)}\n`)
  );
  const why = failed.map(({ case: { name, place }, failure }) =>
    `${harmless(place)}: ${harmless(name)}\n  ${harmless(failure!)}\n`
  );
  return [
    table,
    "\n",
    ...why,
    ...warnings,
    ...(why.length + warnings.length > 0 ? ["\n"] : []),
    summary(results),
  ]
    .join("");
}

function summary(results: readonly Result[]): string {
  const failed = results.filter(({ failure }) => failure !== undefined).length;
  const cases = results.length === 1 ? "1 case" : `${results.length} cases`;
  return failed === 0
    ? `${paint(`${cases}, all as expected`, "good")}\n`
    : `${paint(`${cases}, ${failed} not as expected`, "bad")}\n`;
}

function asJson(results: readonly Result[]) {
  const failed = results.filter(({ failure }) => failure !== undefined).length;
  return {
    passed: results.length - failed,
    failed,
    cases: results.map(({ case: { name, place, expected }, effect, rule, reason, warnings, failure }) => ({
      name,
      place,
      expected,
      decision: effect,
      rule,
      reason,
      warnings,
      ...(failure !== undefined && { failure }),
    })),
  };
}
