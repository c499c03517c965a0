import { example, type Frame } from "../frame.ts";

const load = () => import("../commands/plugins.ts");

/** `sregctl plugin …` */
export function addPlugins(frame: Frame): void {
  const plugin = frame.program.command("plugin").description("the plugins that run in the server");

  plugin.command("list")
    .description("list plugins: kind, isolation, calls, latency, restarts")
    .addHelpText("after", example("sregctl plugin list"))
    .action(async () => frame.end(await (await load()).listPlugins(frame.globals())));

  plugin.command("show")
    .description("show a plugin: what it may touch, its options, its methods")
    .argument("<plugin>")
    .addHelpText("after", example("sregctl plugin show fs"))
    .action(async (name) => frame.end(await (await load()).showPlugin(name, frame.globals())));
}
