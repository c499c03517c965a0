import { ConfigError, formatProblem } from "../server/config/error.ts";
import { count } from "./output.ts";

/** A command that cannot be done as it was asked for: ends the program with 2. */
export class Misuse extends Error {
  override readonly name = "Misuse";
}

/** What `work` answers; where files are wrong, a `Misuse` that says of which `what` they are, and shows each problem. */
export async function orMisuse<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ConfigError) throw new Misuse(describeProblems(what, error), { cause: error });
    throw new Misuse((error as Error).message, { cause: error });
  }
}

function describeProblems(what: string, { problems }: ConfigError): string {
  return [`Cannot use ${what}: ${count(problems.length, "problem")}`, ...problems.map(formatProblem)].join(
    "\n",
  );
}
