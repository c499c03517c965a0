/**
 * `sregctl`: the operator's command line.
 *
 * @module
 */

import { Command, CommanderError } from "@commander-js/extra-typings";
import { Misuse } from "./misuse.ts";
import { harmlessLines, writeError } from "./output.ts";

/** The exit code of what was not asked for rightly. */
const MISUSE = 2;

const CONFIG_HELP = "configuration file, or folder of *.toml; may be repeated (default: as sreg serve)";

let exitCode = 0;

const program = new Command("sregctl")
  .description("Looks after an sreg registry")
  .exitOverride()
  .configureOutput({
    outputError: (text) => writeError(harmlessLines(text.replace(/^error: /, "").trimEnd())),
  });

const policy = program.command("policy").description("try policies out");

policy.command("test")
  .description("run cases against the policies of a configuration, or of a running server")
  .argument("<file...>", "files of cases, or folders of *.toml")
  .option("-c, --config <path>", CONFIG_HELP, collect)
  .option("--server <url>", "ask this server (with SREG_USERNAME and SREG_PASSWORD, or SREG_TOKEN)")
  .option("--json", "print JSON")
  .addHelpText("after", example("sregctl policy test policy.test.toml -c sreg.toml"))
  .action(async (files, flags) => {
    const { testPolicy } = await import("./commands/test_policy.ts");
    exitCode = await testPolicy(files, flags);
  });

policy.command("explain")
  .description("show what becomes of every rule, and what is decided")
  .requiredOption("--identity <who>", "an id of the configuration, `anonymous`, or an identity as JSON")
  .requiredOption("--action <action>", "what they want to do")
  .option("--repository <name>", "the repository that it is about")
  .option("--reference <reference>", "the tag or digest that it is about")
  .option("--client-address <address>", "where they are (default: 127.0.0.1)")
  .option("-c, --config <path>", CONFIG_HELP, collect)
  .option("--json", "print JSON")
  .addHelpText(
    "after",
    example("sregctl policy explain --identity anonymous --action get-manifest --repository team/app"),
  )
  .action(async (flags) => {
    const { explainPolicy } = await import("./commands/explain_policy.ts");
    exitCode = await explainPolicy(flags);
  });

policy.command("diff")
  .description("show whose access would change, by the decisions in a log")
  .argument("<old>", "configuration file or folder, as it is")
  .argument("<new>", "configuration file or folder, as it would be")
  .requiredOption("--log <file>", 'the log of a server with level = "debug"')
  .option("--json", "print JSON")
  .addHelpText("after", example("sregctl policy diff sreg.toml next.toml --log sreg.log"))
  .action(async (before, after, flags) => {
    const { diffPolicies } = await import("./commands/diff_policies.ts");
    exitCode = await diffPolicies([before, after], flags);
  });

program.command("config").description("look at configurations")
  .command("check")
  .description("say whether sreg could start with a configuration")
  .argument("[file...]", "configuration files, or folders of *.toml (default: as sreg serve)")
  .option("--json", "print JSON")
  .addHelpText("after", example("sregctl config check sreg.toml"))
  .action(async (files, flags) => {
    const { checkConfig } = await import("./commands/check_config.ts");
    exitCode = await checkConfig(files, flags);
  });

Deno.exit(await run());

async function run(): Promise<number> {
  try {
    await program.parseAsync(Deno.args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : MISUSE;
    writeError(harmlessLines((error as Error).message));
    return error instanceof Misuse ? MISUSE : 1;
  }
}

function collect(path: string, paths: readonly string[] = []): readonly string[] {
  return [...paths, path];
}

function example(command: string): string {
  return `\nExample:\n  $ ${command}\n`;
}
