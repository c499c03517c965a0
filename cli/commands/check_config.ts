import { ConfigError } from "../../server/config/error.ts";
import { resolveConfigFiles } from "../../server/config/load.ts";
import { tryConfig } from "../../server/policy_trial.ts";
import { warn } from "../judge.ts";
import { harmless, harmlessLines, write, writeError, writeJson } from "../output.ts";

/** Says whether `sreg serve` could start with these files; answers the exit code. */
export async function checkConfig(
  paths: readonly string[],
  { json }: { json?: true | undefined },
): Promise<number> {
  const files = await resolveConfigFiles(Deno.cwd(), paths);
  try {
    await tryConfig({ files }, warn);
  } catch (error) {
    if (json) writeJson({ good: false, problems: problemsOf(error) });
    else writeError(harmlessLines((error as Error).message));
    return 1;
  }
  if (json) writeJson({ good: true, problems: [] });
  else write(`${files.length > 0 ? files.map(harmless).join(", ") : "The default configuration"} is good\n`);
  return 0;
}

function problemsOf(error: unknown) {
  if (!(error instanceof ConfigError)) return [{ message: (error as Error).message }];
  return error.problems.map(({ origin, mark, key, message }) => ({
    file: origin,
    ...(mark && { line: mark.line, column: mark.column }),
    key,
    message,
  }));
}
