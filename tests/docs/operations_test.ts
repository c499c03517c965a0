import { assert, assertEquals } from "../support/assert.ts";
import { runCommand } from "../support/command.ts";
import { basename, join } from "../support/paths.ts";
import { hasProgram } from "../support/programs.ts";
import { ROOT, type Task, taskArguments } from "../support/registry.ts";
import { Names, openShell, parseSteps, plain, type Printed, type Shell, type Step } from "./session.ts";
import { writeImages } from "./session_image.ts";

const PAGE = `${ROOT}docs/operations.md`;
/** What the page says, and a run has others of as long, in as many parts: they are wrapped in tables. */
const FOLDER = "/srv/sreg-registry";
const ADDRESS = "127.0.0.1:5000";

/** What a run has in place of what the page says. */
interface Place {
  readonly folder: string;
  readonly address: string;
}

function portOf(address: string): string {
  return address.split(":")[1]!;
}

/** A port of four digits that nobody listens on. */
function freePort(): number {
  for (let port = 5_001 + Math.floor(Math.random() * 2_000);; port++) {
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse) || port > 9_998) throw error;
    }
  }
}

/** A folder whose name is as long as the page's, with the programs that the page runs, and an image. */
async function setPlace(): Promise<Place> {
  const name = crypto.randomUUID().slice(0, FOLDER.length - "/tmp/sreg-".length);
  const [folder, address] = [`/tmp/sreg-${name}`, `127.0.0.1:${freePort()}`];
  await Deno.mkdir(join(folder, "bin"), { recursive: true });
  const programOf = (task: Task) => {
    const words = taskArguments(task);
    return `${Deno.execPath()} ${words.slice(0, -1).join(" ")} --config ${ROOT}deno.json ${ROOT}${
      words.at(-1)
    }`;
  };
  const { denoDir } = JSON.parse(await runCommand(Deno.execPath(), ["info", "--json"]));
  await Deno.symlink(denoDir, join(folder, "deno"));
  const skopeo = (await runCommand("bash", ["-c", "command -v skopeo"])).trim();
  const programs = {
    sreg: `exec ${programOf("sreg")} "$@" --addr ${address}`,
    sregctl: `exec ${programOf("sregctl")} "$@"`,
    skopeo: `exec ${skopeo} --insecure-policy "$@"`,
  };
  for (const [program, line] of Object.entries(programs)) {
    await Deno.writeTextFile(join(folder, "bin", program), `#!/bin/bash\n${line}\n`, { mode: 0o755 });
  }
  const both = ["amd64", "arm64"];
  await writeImages(join(folder, "web"), { "1.0": ["amd64"], "1.1": ["amd64"], "1.2": both });
  return { folder, address };
}

async function perform(shell: Shell, { step, place, names }: {
  readonly step: Step;
  readonly place: Place;
  readonly names: Names;
}): Promise<Printed> {
  const command = names.toRun(step.command).replaceAll(ADDRESS, place.address);
  const { output, code } = step.command.startsWith("sreg serve")
    ? await shell.start(command, Math.max(1, step.output.split("\n").length - 1))
    : await shell.run(command);
  const shown = output.replaceAll(place.address, ADDRESS)
    .replace(new RegExp(`^(server\\.port +)${portOf(place.address)}$`, "m"), `$1${portOf(ADDRESS)}`)
    .replaceAll(basename(place.folder), basename(FOLDER)).replaceAll("/tmp/", "/srv/");
  names.learn(step.output, shown);
  return { output: shown, code };
}

/** The page with all that a run printed, and its ids in the commands; as it is where nothing but what varies is different. */
function rewrite(page: string, { steps, printed, names }: {
  readonly steps: readonly Step[];
  readonly printed: readonly Printed[];
  readonly names: Names;
}): string {
  if (steps.every((step, index) => plain(step.output) === plain(names.toPage(printed[index]!.output)))) {
    return page;
  }
  const text = steps.map((step, index) => ({ step, output: printed[index]!.output })).reduceRight(
    (text, { step, output }) => text.slice(0, step.start) + output + text.slice(step.end),
    page,
  );
  return names.toRun(text);
}

Deno.test({
  name: "docs/operations.md shows a session as it goes, by skopeo and bash",
  ignore: !hasProgram("skopeo") || !hasProgram("bash"),
  async fn() {
    const page = await Deno.readTextFile(PAGE);
    const steps = parseSteps(page);
    assert(steps.length > 40, `The page has a session of ${steps.length} commands`);
    const place = await setPlace();
    const names = new Names();
    const printed: Printed[] = [];
    try {
      await using shell = openShell(place.folder, {
        DENO_DIR: join(place.folder, "deno"),
        REGISTRY_AUTH_FILE: join(place.folder, "auth.json"),
      });
      for (const step of steps) printed.push(await perform(shell, { step, place, names }));
    } finally {
      await Deno.remove(place.folder, { recursive: true });
    }
    if (Deno.env.get("SREG_UPDATE_DOCS") === "1") {
      await Deno.writeTextFile(PAGE, rewrite(page, { steps, printed, names }));
      return;
    }
    const told = (output: (index: number) => string) =>
      steps.map(({ command }, index) => `$ ${command}\n${plain(names.toPage(output(index)))}`).join("").split(
        "\n",
      );
    assertEquals(told((index) => printed[index]!.output), told((index) => steps[index]!.output));
    const failed = steps.filter((_, index) =>
      printed[index]!.code !== 0 && steps[index + 1]?.command !== "echo $?"
    );
    assertEquals(failed.map(({ command }) => command), []);
  },
});
