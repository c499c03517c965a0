import { DRY_RUN_HELP, example, type Frame, YES_HELP } from "../frame.ts";

const load = () => import("../commands/contexts.ts");

/** `sregctl login`, `logout`, `whoami`, `context …` */
export function addContexts(frame: Frame): void {
  addLogin(frame);
  const { program } = frame;

  program.command("logout")
    .description("forget the credentials of the context; it stays, as anonymous")
    .addHelpText("after", example("sregctl logout", "sregctl logout --context staging"))
    .action(async () => frame.end(await (await load()).logout(frame.globals())));

  program.command("whoami")
    .description("show who the server takes you for")
    .addHelpText("after", example("sregctl whoami"))
    .action(async () => frame.end(await (await import("../commands/login.ts")).whoami(frame.globals())));

  addContextNoun(frame);
}

function addLogin(frame: Frame): void {
  frame.program.command("login")
    .description("sign in to a server, and make it the current context")
    .argument("<url>", "the server, or the admin listener that it has")
    .option("--username <name>", "who you are")
    .option("--password-stdin", "read the password, or a token, from standard input")
    .option("--name <context>", "what to call the server (default: its host)")
    .option("--ca <file>", "trust this CA too (PEM)")
    .option("--cert <file>", "your client certificate (PEM)")
    .option("--key <file>", "its key (PEM)")
    .option("--insecure-http", "allow credentials over plain HTTP to another machine")
    .addHelpText(
      "after",
      example(
        "sregctl login https://registry.example",
        "sregctl login https://registry.example \\\n      --username ci --password-stdin < token",
      ),
    )
    .action(async (url, flags) => {
      const { login } = await import("../commands/login.ts");
      frame.end(await login(url, { ...flags, ...frame.globals() }));
    });
}

function addContextNoun(frame: Frame): void {
  const context = frame.program.command("context").description("the servers that you signed in to");

  context.command("list")
    .description("list them; the current one has a star")
    .addHelpText("after", example("sregctl context list"))
    .action(async () => frame.end(await (await load()).listContexts(frame.globals())));

  context.command("use")
    .description("make one the current one")
    .argument("<name>")
    .addHelpText("after", example("sregctl context use staging"))
    .action(async (name) => frame.end(await (await load()).useContext(name, frame.globals())));

  context.command("show")
    .description("show one, without its password")
    .argument("[name]", "default: the current one")
    .addHelpText("after", example("sregctl context show staging"))
    .action(async (name) => frame.end(await (await load()).showContext(name, frame.globals())));

  context.command("delete")
    .description("forget one, and its credentials")
    .argument("<name>")
    .option("--yes", YES_HELP)
    .option("--dry-run", DRY_RUN_HELP)
    .addHelpText("after", example("sregctl context delete staging"))
    .action(async (name, flags) =>
      frame.end(await (await load()).deleteContext(name, { ...flags, ...frame.globals() }))
    );
}
