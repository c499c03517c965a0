import { DRY_RUN_HELP, example, type Frame, YES_HELP } from "../frame.ts";

const load = () => import("../commands/jobs.ts");
const loadOrders = () => import("../commands/job_orders.ts");
const DETACH_HELP = "start it, print its id, and do not follow it";

/** `sregctl gc`, `retention …`, `scrub` and `job …` */
export function addJobs(frame: Frame): void {
  addOrders(frame);
  addRetention(frame);
  addJobNoun(frame);
}

function addOrders(frame: Frame): void {
  frame.program.command("gc")
    .description("collect what nothing refers to any more")
    .option("--dry-run", DRY_RUN_HELP)
    .option("--detach", DETACH_HELP)
    .addHelpText("after", example("sregctl gc --dry-run", "sregctl gc"))
    .action(async (flags) =>
      frame.end(await (await loadOrders()).collectGarbage({ ...flags, ...frame.globals() }))
    );

  frame.program.command("scrub")
    .description("look through the whole store for damage; fails where some stays")
    .option("--repair", "mend what can be derived, move the rest to quarantine")
    .option("--rehash", "read all bytes, and compare their digests")
    .option("--rate <size>", "read so much in a second at most: 50MiB")
    .option("--dry-run", DRY_RUN_HELP)
    .option("--detach", DETACH_HELP)
    .addHelpText("after", example("sregctl scrub", "sregctl scrub --rehash --rate 50MiB --detach"))
    .action(async (flags) => frame.end(await (await loadOrders()).scrub({ ...flags, ...frame.globals() })));
}

function addRetention(frame: Frame): void {
  const retention = frame.program.command("retention").description(
    "keep what the rules keep, delete the rest",
  );

  retention.command("run")
    .description("delete the images that no rule keeps")
    .option("--repository <name>", "in this repository only")
    .option("--yes", YES_HELP)
    .option("--dry-run", DRY_RUN_HELP)
    .option("--detach", DETACH_HELP)
    .addHelpText("after", example("sregctl retention run --dry-run", "sregctl retention run --yes"))
    .action(async (flags) =>
      frame.end(await (await loadOrders()).runRetention({ ...flags, ...frame.globals() }))
    );

  retention.command("test")
    .description("show for each tag the rule that keeps it, or why it would go")
    .option("--repository <name>", "in this repository only")
    .addHelpText("after", example("sregctl retention test --repository team/app"))
    .action(async (flags) =>
      frame.end(await (await loadOrders()).testRetention({ ...flags, ...frame.globals() }))
    );
}

function addJobNoun(frame: Frame): void {
  const job = frame.program.command("job").description("long work that runs in the server");

  job.command("list")
    .description("list jobs, newest first")
    .addHelpText("after", example("sregctl job list"))
    .action(async () => frame.end(await (await load()).listJobs(frame.globals())));

  job.command("show")
    .description("show a job, and what it reports")
    .argument("<job>")
    .addHelpText("after", example("sregctl job show 20250331T220005-1f0c"))
    .action(async (id) => frame.end(await (await load()).showJob(id, frame.globals())));

  job.command("follow")
    .description("watch a job until it ends; fails where it does")
    .argument("<job>")
    .addHelpText("after", example("sregctl job follow 20250331T220005-1f0c"))
    .action(async (id) => frame.end(await (await loadOrders()).follow(id, frame.globals())));

  job.command("cancel")
    .description("ask a job to stop at the next good place")
    .argument("<job>")
    .addHelpText("after", example("sregctl job cancel 20250331T220005-1f0c"))
    .action(async (id) => frame.end(await (await load()).cancelJob(id, frame.globals())));

  job.command("resume")
    .description("go on with a job that was interrupted or cancelled")
    .argument("<job>")
    .option("--detach", "do not follow it")
    .addHelpText("after", example("sregctl job resume 20250331T220005-1f0c"))
    .action(async (id, flags) =>
      frame.end(await (await loadOrders()).resume(id, { ...flags, ...frame.globals() }))
    );
}
