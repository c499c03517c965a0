/** Reads what was decided out of a server's log. */

import { type LoggedDecision, parseDecisionLine } from "../server/admin/decision_lines.ts";
import { Misuse } from "./misuse.ts";

/** A part of a log. */
export interface LogPart {
  readonly decisions: readonly LoggedDecision[];
  /** Lines that tell of no decision. */
  readonly skipped: number;
}

/** The lines of a log, some at a time: one may be larger than the memory. */
export async function* readDecisions(path: string, linesAtOnce: number): AsyncGenerator<LogPart> {
  let decisions: LoggedDecision[] = [];
  let skipped = 0;
  for await (const line of readLines(path)) {
    const decision = parseDecisionLine(line);
    if (decision) decisions.push(decision);
    else if (line.trim() !== "") skipped++;
    if (decisions.length + skipped < linesAtOnce) continue;
    yield { decisions, skipped };
    [decisions, skipped] = [[], 0];
  }
  yield { decisions, skipped };
}

async function* readLines(path: string): AsyncGenerator<string> {
  const file = await Deno.open(path).catch((error: Error) => {
    throw new Misuse(`Cannot read the log ${path}: ${error.message}`, { cause: error });
  });
  let rest = "";
  for await (
    const text of file.readable.pipeThrough(new TextDecoderStream() as never) as ReadableStream<string>
  ) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  yield rest;
}
