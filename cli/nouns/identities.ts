import { collect, DRY_RUN_HELP, example, type Frame, YES_HELP } from "../frame.ts";

const load = () => import("../commands/identities.ts");

/** `sregctl identity …` */
export function addIdentities(frame: Frame): void {
  const identity = frame.program.command("identity").description("who may come in, and their tokens");

  identity.command("list")
    .description("list identities, of the file and of the store")
    .addHelpText("after", example("sregctl identity list"))
    .action(async () => frame.end(await (await load()).listIdentities(frame.globals())));

  addCreate(frame, identity);

  for (
    const [name, text] of [["disable", "let it do nothing, at once"], ["enable", "let it in again"]] as const
  ) {
    identity.command(name)
      .description(text)
      .argument("<id>")
      .addHelpText("after", example(`sregctl identity ${name} alice`))
      .action(async (id) =>
        frame.end(await (await load()).setDisabled(id, { ...frame.globals(), disabled: name === "disable" }))
      );
  }

  identity.command("groups")
    .description("say which groups an identity is in, in place of those before")
    .argument("<id>")
    .argument("[group...]")
    .addHelpText("after", example("sregctl identity groups alice developers release-managers"))
    .action(async (id, groups) => frame.end(await (await load()).setGroups(id, groups, frame.globals())));

  identity.command("delete")
    .description("delete an identity, and its tokens with it")
    .argument("<id>")
    .option("--yes", YES_HELP)
    .option("--dry-run", DRY_RUN_HELP)
    .addHelpText("after", example("sregctl identity delete alice"))
    .action(async (id, flags) =>
      frame.end(await (await load()).deleteIdentity(id, { ...flags, ...frame.globals() }))
    );

  identity.command("passwd")
    .description("change a password: somebody's, or without an id your own")
    .argument("[id]")
    .option("--password-stdin", "read the new password from standard input")
    .addHelpText(
      "after",
      example("sregctl identity passwd", "sregctl identity passwd alice --password-stdin < password"),
    )
    .action(async (id, flags) =>
      frame.end(await (await load()).changePassword(id, { ...flags, ...frame.globals() }))
    );

  addTokens(frame, identity.command("token").description("tokens: people's, and robots'"));
}

type Noun = Pick<Frame["program"], "command">;

function addCreate(frame: Frame, identity: Noun): void {
  identity.command("create")
    .description("make an identity; asks for its password")
    .argument("<username>")
    .option("--id <id>", "its id, which never changes (default: the server's choice)")
    .option("--group <name>", "a group that it is in; may be repeated", collect)
    .option("--password-stdin", "read the password from standard input")
    .option("--password-hash <hash>", "a hash instead, as sregctl hash prints it")
    .option("--no-password", "none: it cannot sign in by password")
    .addHelpText(
      "after",
      example(
        "sregctl identity create alice --group developers",
        "sregctl identity create ci --password-stdin < password",
      ),
    )
    .action(async (username, flags) =>
      frame.end(await (await load()).createIdentity(username, { ...flags, ...frame.globals() }))
    );
}

const loadTokens = () => import("../commands/tokens.ts");
const MINE_HELP = "one of your own";

function addTokens(frame: Frame, token: Noun): void {
  token.command("create")
    .description("make a token, and show its text this once; a robot's unless it is said whose")
    .argument("<name>", "what it is for")
    .option("--mine", "for yourself")
    .option("--owner <id>", "for this identity")
    .option("--group <name>", "a group of the robot; may be repeated", collect)
    .option("--expires <when>", "30d, 12h, or 2030-01-01T00:00:00Z (default: never)")
    .option(
      "--scope <scope>",
      "less than its owner may: team/**:pull,push; may be repeated",
      collect,
    )
    .addHelpText(
      "after",
      example(
        "sregctl identity token create ci --group builders --expires 90d",
        "sregctl identity token create laptop --mine --scope 'team/**:pull'",
      ),
    )
    .action(async (name, flags) =>
      frame.end(await (await loadTokens()).createToken(name, { ...flags, ...frame.globals() }))
    );

  token.command("list")
    .description("list tokens, and when they were used last")
    .option("--mine", "your own only")
    .addHelpText("after", example("sregctl identity token list --mine"))
    .action(async (flags) =>
      frame.end(await (await loadTokens()).listTokens({ ...flags, ...frame.globals() }))
    );

  token.command("rotate")
    .description("give a token another text; the one before is worth nothing at once")
    .argument("<id>")
    .option("--mine", MINE_HELP)
    .addHelpText("after", example("sregctl identity token rotate 8f2c1b0a --mine"))
    .action(async (id, flags) =>
      frame.end(await (await loadTokens()).rotateToken(id, { ...flags, ...frame.globals() }))
    );

  token.command("revoke")
    .description("take a token back")
    .argument("<id>")
    .option("--mine", MINE_HELP)
    .option("--yes", YES_HELP)
    .option("--dry-run", DRY_RUN_HELP)
    .addHelpText("after", example("sregctl identity token revoke 8f2c1b0a --yes"))
    .action(async (id, flags) =>
      frame.end(await (await loadTokens()).revokeToken(id, { ...flags, ...frame.globals() }))
    );
}
