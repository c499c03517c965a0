import { readConfig } from "../../server/config/mod.ts";
import { configuredIdentities } from "../../server/policy_trial.ts";
import { type PolicyCase, readCases } from "../cases.ts";
import { askServer } from "../decisions.ts";
import type { GlobalFlags } from "../frame.ts";
import { type Answer, askTrial, openTrial } from "../judge.ts";
import { orMisuse } from "../misuse.ts";
import { count, harmless, outputColumns, paint, write, writeJson } from "../output.ts";
import { type Cell, formatTable, wrap } from "../table.ts";

/** The flags of `sregctl policy test`. */
export interface TestFlags extends GlobalFlags {
  readonly config?: readonly string[] | undefined;
}

const INDENT = "  ";

interface Result extends Answer {
  readonly case: PolicyCase;
  /** Why it fails; absent: it does not. */
  readonly failure?: string;
}

/** Runs the cases of files; answers the exit code. */
export async function testPolicy(files: readonly string[], flags: TestFlags): Promise<number> {
  const { cases, answers } = flags.server === undefined && flags.context === undefined
    ? await runHere(files, flags)
    : await runThere(files, flags);
  const results = cases.map((item, index) => judge(item, answers[index]!));
  if (flags.json) writeJson(asJson(results));
  else write(await formatResults(results));
  return failuresOf(results) > 0 ? 1 : 0;
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
async function runThere(files: readonly string[], flags: TestFlags): Promise<Run> {
  const { config } = flags;
  const identities = config
    ? configuredIdentities((await orMisuse("the configuration", readConfig({ files: config }))).config)
    : new Map();
  const cases = await orMisuse("the cases", readCases(files, identities));
  return { cases, answers: await askServer(flags, cases.map(({ question }) => question)) };
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
    const verdict = failure === undefined ? { text: "ok", tone: "good" } : { text: "FAIL", tone: "bad" };
    return [verdict as Cell, name, expected, effect, rule];
  });
  const table = await formatTable(["", "case", "expected", "decision", "deciding rule"], rows);
  const notes = results.flatMap(notesOf).map((note) => `${note}\n`).join("");
  return [table, ...(notes ? [notes] : []), summary(results)].join("\n");
}

/** Where a case stands that needs attention, and what happened to it. */
function notesOf({ case: { name, place }, failure, warnings }: Result): string[] {
  const notes = [...(failure === undefined ? [] : [failure]), ...warnings];
  if (notes.length === 0) return [];
  const lines = notes.flatMap((note) => wrap(harmless(note), outputColumns() - INDENT.length));
  return [`${harmless(place)}: ${harmless(name)}`, ...lines.map((line) => INDENT + line)];
}

function summary(results: readonly Result[]): string {
  const failed = failuresOf(results);
  const cases = count(results.length, "case");
  return failed === 0
    ? `${paint(`${cases}, all as expected`, "good")}\n`
    : `${paint(`${cases}, ${failed} not as expected`, "bad")}\n`;
}

function failuresOf(results: readonly Result[]): number {
  return results.filter(({ failure }) => failure !== undefined).length;
}

function asJson(results: readonly Result[]) {
  const failed = failuresOf(results);
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
