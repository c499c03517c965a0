import type { Identity, PolicyQuestion } from "../../server/admin/policy_questions.ts";
import type { PolicyTrial } from "../../server/policy_trial.ts";
import { readDecisions } from "../decision_log.ts";
import { type Answer, askTrial, openTrial } from "../judge.ts";
import { count, paint, write, writeJson } from "../output.ts";
import { formatTable } from "../table.ts";

/** The flags of `sregctl policy diff`. */
export interface DiffFlags {
  readonly log: string;
  readonly json?: true | undefined;
}

/** Somebody's access that is another with the new policies. */
interface Change {
  readonly identity: string;
  readonly action: string;
  readonly repository: string | null;
  readonly old: Answer;
  readonly new: Answer;
  /** How many lines of the log it would have been so for. */
  count: number;
}

interface Replay {
  decisions: number;
  skipped: number;
  /** Decisions on identities whose claims the log does not tell. */
  withoutClaims: number;
  /** Decisions that the old policies take otherwise now than the log says. */
  otherwise: number;
  readonly changes: Map<string, Change>;
}

const LINES_AT_ONCE = 1_024;

/** Asks two configurations what a log says was asked, and shows what differs; answers the exit code. */
export async function diffPolicies(
  [oldPath, newPath]: readonly [string, string],
  { log, json }: DiffFlags,
): Promise<number> {
  await using oldTrial = await openTrial([oldPath]);
  await using newTrial = await openTrial([newPath]);
  const replay: Replay = { decisions: 0, skipped: 0, withoutClaims: 0, otherwise: 0, changes: new Map() };
  for await (const { decisions, skipped } of readDecisions(log, LINES_AT_ONCE)) {
    const questions = decisions.map(({ question }) => question);
    const answers = await askBoth([oldTrial, newTrial], questions);
    replay.decisions += decisions.length;
    replay.skipped += skipped;
    for (const [index, { question, allowed, lacksClaims }] of decisions.entries()) {
      const [before, after] = answers[index]!;
      if (lacksClaims) replay.withoutClaims++;
      if ((before.effect === "allow") !== allowed) replay.otherwise++;
      if (before.effect !== after.effect) note(replay.changes, question, [before, after]);
    }
  }
  if (json) writeJson(asJson(replay));
  else write(await formatReplay(replay));
  return replay.changes.size > 0 ? 1 : 0;
}

async function askBoth(
  [oldTrial, newTrial]: readonly [PolicyTrial, PolicyTrial],
  questions: readonly PolicyQuestion[],
): Promise<(readonly [Answer, Answer])[]> {
  const [before, after] = await Promise.all([askTrial(oldTrial, questions), askTrial(newTrial, questions)]);
  return before.map((answer, index) => [answer, after[index]!] as const);
}

function note(
  changes: Map<string, Change>,
  { identity, action, namespace }: PolicyQuestion,
  [before, after]: readonly [Answer, Answer],
): void {
  const who = nameOf(identity);
  const key = JSON.stringify([who, identity.id, action, namespace, before.rule, after.rule, after.effect]);
  const known = changes.get(key);
  if (known) known.count++;
  else changes.set(key, { identity: who, action, repository: namespace, old: before, new: after, count: 1 });
}

function nameOf({ id, username, certificate }: Identity): string {
  return id ?? username ?? certificate?.commonNames[0] ?? certificate?.fingerprint ?? "anonymous";
}

async function formatReplay(replay: Replay): Promise<string> {
  const changes = [...replay.changes.values()];
  const rows = changes.map(({ identity, action, repository, ...change }) => [
    identity,
    action,
    repository ?? "",
    {
      text: `${change.old.effect} → ${change.new.effect}`,
      tone: change.new.effect === "allow" ? "good" : "bad",
    } as const,
    [change.old.rule, `→ ${change.new.rule}`],
    String(change.count),
  ]);
  const headings = ["identity", "action", "repository", "access", "deciding rule", "times"];
  const table = rows.length > 0 ? `${await formatTable(headings, rows)}\n` : "";
  return table + summary(replay);
}

function summary({ decisions, skipped, withoutClaims, otherwise, changes }: Replay): string {
  const changed = [...changes.values()].reduce((sum, change) => sum + change.count, 0);
  const lines = [
    changed === 0
      ? paint(`No decision of ${decisions} would change`, "good")
      : paint(`${changed} of ${count(decisions, "decision")} would change`, "bad"),
    ...(skipped > 0 ? [`The log has ${count(skipped, "line")} about something else`] : []),
    ...(withoutClaims > 0
      ? [`Replayed without claims, which are not logged: ${count(withoutClaims, "decision")}`]
      : []),
    ...(otherwise > 0 ? [`Decided otherwise by the old policies than the log says: ${otherwise}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function asJson({ decisions, skipped, withoutClaims, otherwise, changes }: Replay) {
  const side = ({ effect, rule, reason }: Answer) => ({ decision: effect, rule, reason });
  return {
    decisions,
    skipped,
    without_claims: withoutClaims,
    otherwise_than_logged: otherwise,
    changes: [...changes.values()].map(({ old: before, new: after, ...change }) => ({
      ...change,
      old: side(before),
      new: side(after),
    })),
  };
}
