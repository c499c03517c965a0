import { runCommand } from "../support/command.ts";
import { hasProgram } from "../support/programs.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { type Desk, openDesk, sregctlArguments } from "./scene.ts";
import { serve } from "./stand_in.ts";

/** A folder with `sregctl` as a program. */
async function install(desk: Desk): Promise<Record<string, string>> {
  const words = [Deno.execPath(), ...sregctlArguments()].map((word) => `'${word}'`).join(" ");
  await Deno.mkdir(`${desk.folder}/bin`);
  await Deno.writeTextFile(`${desk.folder}/bin/sregctl`, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  return {
    PATH: `${desk.folder}/bin:${Deno.env.get("PATH")}`,
    XDG_CONFIG_HOME: `${desk.folder}/config`,
    ZDOTDIR: desk.folder,
    TERM: "xterm",
  };
}

async function complete(desk: Desk, words: readonly string[], env = {}): Promise<string[]> {
  const { stdout } = await desk.run(["complete", "--", ...words], env);
  return stdout.trimEnd().split("\n").slice(0, -1).map((line) => line.split("\t")[0]!);
}

Deno.test("sregctl completes nouns, verbs, flags, contexts and what a server has", async () => {
  await using desk = await openDesk({});
  assertEquals(await complete(desk, ["rep"]), ["repo"]);
  assertEquals(await complete(desk, ["repo", ""]), ["list", "show", "delete"]);
  assertEquals(await complete(desk, ["identity", "token", "r"]), ["rotate", "revoke"]);
  assertEquals(await complete(desk, ["repo", "delete", "--d"]), ["--dry-run"]);
  assertEquals(await complete(desk, ["gc", "--js"]), ["--json"]);
  assertEquals(await complete(desk, ["completion", ""]), ["bash", "zsh", "fish"]);
  await using server = serve({
    "GET /admin/v1/repositories": {
      repositories: [{ name: "team/app" }, { name: "team/$(touch pwned)" }, { name: "team/b\u001b[2J" }],
    },
  });
  const env = { SREG_SERVER: server.url };
  assertEquals(await complete(desk, ["repo", "show", "te"], env), ["team/app"]);
  assertEquals(await complete(desk, ["tag", "list", ""], env), ["team/app"]);
  assertEquals(server.asked[0]!.path, "/admin/v1/repositories?filter=te&n=1000");
  assertEquals(await complete(desk, ["repo", "show", ""], { SREG_SERVER: "http://127.0.0.1:9" }), []);
});

Deno.test({
  name: "sregctl completion bash completes in a real bash, also when it is read twice, by bash",
  ignore: !hasProgram("bash"),
  async fn() {
    await using desk = await openDesk({});
    const env = await install(desk);
    const script = `
      source <(sregctl completion bash) || exit 1
      source <(sregctl completion bash) || exit 2
      for line in "sregctl re" "sregctl repo d" "sregctl identity token "; do
        COMP_WORDS=($line) COMP_LINE=$line COMP_POINT=\${#line}
        [[ $line == *" " ]] && COMP_WORDS+=("")
        COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
        COMPREPLY=()
        __sregctl_complete
        echo "$line: \${COMPREPLY[*]}"
      done`;
    assertEquals(
      await runCommand("bash", ["--norc", "-c", script], { env }),
      `sregctl re: repo retention
sregctl repo d: delete
sregctl identity token : create list rotate revoke
`,
    );
  },
});

Deno.test({
  name: "sregctl completion zsh completes in a real zsh, by zsh and tmux",
  ignore: !hasProgram("zsh") || !hasProgram("tmux"),
  async fn() {
    await using desk = await openDesk({});
    const env = await install(desk);
    await Deno.writeTextFile(
      `${desk.folder}/.zshrc`,
      "PS1='> '\nautoload -Uz compinit && compinit -u\nsource <(sregctl completion zsh)\n",
    );
    const socket = `${desk.folder}/tmux`;
    const tmux = (...words: string[]) =>
      runCommand("tmux", ["-S", socket, "-f", "/dev/null", ...words], { env });
    await tmux("new-session", "-d", "-x", "80", "-y", "24", "zsh");
    try {
      await waitFor(() => tmux("capture-pane", "-p"), /^>/m);
      await tmux("send-keys", "-l", "sregctl identity tok");
      await tmux("send-keys", "Tab");
      await waitFor(() => tmux("capture-pane", "-p"), /> sregctl identity token/);
    } finally {
      await tmux("kill-server");
    }
  },
});

async function waitFor(read: () => Promise<string>, pattern: RegExp): Promise<void> {
  for (let tries = 0;; tries++) {
    const text = await read();
    if (pattern.test(text)) return;
    assert(tries < 200, `never shows ${pattern}, but:\n${text}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

Deno.test({
  name: "sregctl completion fish completes in a real fish, by fish",
  ignore: !hasProgram("fish"),
  async fn() {
    await using desk = await openDesk({});
    const env = await install(desk);
    const script =
      `sregctl completion fish | source; complete -C "sregctl repo "; complete -C "sregctl identity token ro"`;
    const lines = (await runCommand("fish", ["--no-config", "-c", script], { env })).trimEnd().split("\n");
    assertEquals(lines.map((line) => line.split("\t")[0]), ["delete", "list", "show", "rotate"]);
  },
});

Deno.test("sregctl completion knows three shells", async () => {
  await using desk = await openDesk({});
  assertEquals(await desk.run(["completion", "tcsh"]), {
    code: 2,
    stdout: "",
    stderr: "sregctl: There is completion for bash, zsh, fish\n",
  });
});
