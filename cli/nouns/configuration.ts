import { example, type Frame } from "../frame.ts";

const load = () => import("../commands/configuration.ts");

/** `sregctl config …` */
export function addConfiguration(frame: Frame): void {
  const config = frame.program.command("config").description("look at configurations, and reload them");

  config.command("check")
    .description("say whether sreg could start with a configuration; needs no server")
    .argument("[file...]", "configuration files, or folders of *.toml (default: as sreg serve)")
    .addHelpText("after", example("sregctl config check sreg.toml"))
    .action(async (files, flags) => {
      const { checkConfig } = await import("../commands/check_config.ts");
      frame.end(await checkConfig(files, { ...flags, ...frame.globals() }));
    });

  config.command("show")
    .description("show the configuration that a server runs with, secrets masked")
    .addHelpText("after", example("sregctl config show"))
    .action(async () => frame.end(await (await load()).showConfig(frame.globals())));

  config.command("reload")
    .description("let a server read its files again; what is wrong changes nothing")
    .option("--dry-run", "only say what is wrong in its files")
    .addHelpText("after", example("sregctl config reload --dry-run", "sregctl config reload"))
    .action(async (flags) => frame.end(await (await load()).reloadConfig({ ...flags, ...frame.globals() })));
}
