import {
  type Action,
  ACTIONS,
  ANONYMOUS,
  askedBy,
  type Identity,
  parseIdentity,
  parseQuestion,
} from "../../server/admin/policy_questions.ts";
import { nearest } from "../../plugins/contract/nearest.ts";
import type { PolicyTrial } from "../../server/policy_trial.ts";
import { askTrial, openTrial } from "../judge.ts";
import { Misuse } from "../misuse.ts";
import { harmless, paint, write, writeJson } from "../output.ts";
import { formatTable } from "../table.ts";

/** The flags of `sregctl policy explain`. */
export interface ExplainFlags {
  readonly identity: string;
  readonly action: string;
  readonly repository?: string | undefined;
  readonly reference?: string | undefined;
  readonly clientAddress?: string | undefined;
  readonly config?: readonly string[] | undefined;
  readonly json?: true | undefined;
}

/** Shows what becomes of every rule, then the decision; answers the exit code. */
export async function explainPolicy(flags: ExplainFlags): Promise<number> {
  const action = parseAction(flags.action);
  await using trial = await openTrial(flags.config);
  const question = questionOf(flags, action, findIdentity(flags.identity, trial.identities));
  const verdicts = await trial.explain(question);
  const [answer] = await askTrial(trial, [question]);
  const { effect, rule, reason, warnings } = answer!;
  if (flags.json) {
    writeJson({ decision: effect, rule, reason, warnings, verdicts });
    return 0;
  }
  const rows = verdicts.map((verdict) => [verdict.rule, verdict.text, verdict.verdict]);
  const table = rows.length > 0 ? `${await formatTable(["rule", "text", "verdict"], rows)}\n` : "";
  const decision = paint(effect, effect === "allow" ? "good" : "bad");
  const told = warnings.map((warning) => `${harmless(warning)}\n`).join("");
  write(`${table}${decision} by ${harmless(rule)}: ${harmless(reason)}\n${told}`);
  return 0;
}

function questionOf(flags: ExplainFlags, action: Action, identity: Identity) {
  const { repository, reference, clientAddress } = flags;
  try {
    // What JSON is checked for holds for flags too; absent members stay absent.
    parseQuestion(JSON.parse(JSON.stringify({ action, repository, reference })), "--");
  } catch (error) {
    throw new Misuse((error as Error).message.replace(/^.*?--\./, "--"), { cause: error });
  }
  return askedBy({ identity, action, repository, reference, clientAddress });
}

function parseAction(text: string): Action {
  const action = ACTIONS.find((known) => known === text);
  if (action) return action;
  const meant = nearest(text, ACTIONS);
  const hint = meant ? `did you mean ${meant}?` : `there are: ${ACTIONS.join(", ")}`;
  throw new Misuse(`--action: no such action, ${hint}`);
}

/** An identity as JSON, `anonymous`, or the id of one that the configuration names. */
function findIdentity(text: string, identities: PolicyTrial["identities"]): Identity {
  if (text.startsWith("{")) return parseJsonIdentity(text);
  const found = identities.get(text) ?? (text === "anonymous" ? ANONYMOUS : undefined);
  if (found) return found;
  const meant = nearest(text, [...identities.keys(), "anonymous"]);
  throw new Misuse(
    `--identity: no such identity is configured${meant ? `, did you mean ${meant}?` : ""}`,
  );
}

function parseJsonIdentity(text: string): Identity {
  try {
    return parseIdentity(JSON.parse(text), "--identity");
  } catch (error) {
    const reason = (error as Error).message.replace("Cannot read the question: ", "");
    throw new Misuse(reason.startsWith("--identity") ? reason : `--identity: ${reason}`, { cause: error });
  }
}
