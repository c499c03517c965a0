import { example, type Frame } from "../frame.ts";

const load = () => import("../commands/audit.ts");

/** `sregctl audit …` */
export function addAudit(frame: Frame): void {
  const audit = frame.program.command("audit").description("who changed what");

  audit.command("tail")
    .description("show the last events")
    .option("--follow", "and those to come, until Ctrl-C")
    .option("-n, --lines <number>", "how many (default: 20)")
    .addHelpText("after", example("sregctl audit tail --follow"))
    .action(async (flags) => frame.end(await (await load()).tailAudit({ ...flags, ...frame.globals() })));

  audit.command("search")
    .description("show the events that fit, newest first")
    .option("--since <when>", "a time, or 7d ago: 7d, 12h")
    .option("--until <when>", "a time, or so long ago")
    .option("--actor <who>", "who did it: an id or a user name")
    .option("--action <action>", "what: put-manifest, admin.delete-repository")
    .option("--target <what>", "to what: a repository, an identity")
    .option("--outcome <outcome>", "done, denied or failed")
    .option("-n, --lines <number>", "how many at most (default: 100)")
    .addHelpText("after", example("sregctl audit search --since 7d --outcome denied"))
    .action(async (flags) => frame.end(await (await load()).searchAudit({ ...flags, ...frame.globals() })));
}
