import { collect, CONFIG_HELP, example, type Frame } from "../frame.ts";

/** `sregctl policy …` */
export function addPolicies(frame: Frame): void {
  const policy = frame.program.command("policy").description("try policies out");

  policy.command("test")
    .description("run cases against the policies of a configuration, or of a server")
    .argument("<file...>", "files of cases, or folders of *.toml")
    .option("-c, --config <path>", CONFIG_HELP, collect)
    .addHelpText(
      "after",
      example(
        "sregctl policy test policy.test.toml -c sreg.toml",
        "sregctl policy test policy.test.toml --server https://registry.example",
      ),
    )
    .action(async (files, flags) => {
      const { testPolicy } = await import("../commands/test_policy.ts");
      frame.end(await testPolicy(files, { ...flags, ...frame.globals() }));
    });

  policy.command("explain")
    .description("show what becomes of every rule, and what is decided")
    .requiredOption("--identity <who>", "an id of the configuration, `anonymous`, or JSON")
    .requiredOption("--action <action>", "what they want to do")
    .option("--repository <name>", "the repository that it is about")
    .option("--reference <reference>", "the tag or digest that it is about")
    .option("--client-address <address>", "where they are (default: 127.0.0.1)")
    .option("-c, --config <path>", CONFIG_HELP, collect)
    .addHelpText(
      "after",
      example(
        "sregctl policy explain --identity anonymous \\\n      --action get-manifest --repository team/app",
      ),
    )
    .action(async (flags) => {
      const { explainPolicy } = await import("../commands/explain_policy.ts");
      frame.end(await explainPolicy({ ...flags, ...frame.globals() }));
    });

  policy.command("diff")
    .description("show whose access would change, by the decisions in a log")
    .argument("<old>", "configuration file or folder, as it is")
    .argument("<new>", "configuration file or folder, as it would be")
    .requiredOption("--log <file>", 'the log of a server with level = "debug"')
    .addHelpText("after", example("sregctl policy diff sreg.toml next.toml --log sreg.log"))
    .action(async (before, after, flags) => {
      const { diffPolicies } = await import("../commands/diff_policies.ts");
      frame.end(await diffPolicies([before, after], { ...flags, ...frame.globals() }));
    });
}
