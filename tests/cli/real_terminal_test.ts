import { widthOf } from "../../cli/table.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { makeCertificate } from "../support/certificate.ts";
import { descriptorOf, OCI_MANIFEST, randomContent, RegistryClient } from "../support/client.ts";
import { identityTables } from "../support/identities.ts";
import { hasProgram } from "../support/programs.ts";
import { type RunningRegistry, startRegistry } from "../support/registry.ts";
import { type Desk, openDesk, sregctlArguments } from "./scene.ts";
import { openScreen } from "./screen.ts";

const COLUMNS = 80;
const LONG =
  "a-team/with/a-very-long-name-of-a-repository/that-goes-on-and-on/until-it-does-not-fit-anywhere";
const TAG = `v1.${"0123456789".repeat(12)}`;
const BLOB_BYTES = 6 * 1024 * 1024;

/** A server of long names, over TLS, and who may everything. */
interface Scene extends AsyncDisposable {
  readonly desk: Desk;
  readonly server: RunningRegistry;
  readonly env: Readonly<Record<string, string>>;
}

async function setScene(): Promise<Scene> {
  const desk = await openDesk({});
  const { authority, certificate, key } = await makeCertificate(desk.folder);
  const config = `${await identityTables(["root"])}
[[binding]]
role = "admin"
users = ["root"]

[global.retention_policy]
rules = ["image.tag == 'latest'"]
min_age = "1s"
`;
  const dataDir = `${desk.folder}/data`;
  {
    // The client of the tests trusts no authority of its own, so the content comes before the certificate.
    await using plain = await startRegistry({ dataDir });
    await pushLongNames(new RegistryClient(plain.url));
  }
  const tls = `
[server.tls]
server_certificate_bundle = ${JSON.stringify(certificate)}
server_private_key = ${JSON.stringify(key)}
`;
  const server = await startRegistry({ dataDir, config: config + tls });
  const env = {
    SREG_SERVER: server.url,
    SREG_CA: authority,
    SREG_USERNAME: "root",
    SREG_PASSWORD: "root-password",
  };
  return {
    desk,
    server,
    env,
    async [Symbol.asyncDispose]() {
      await server.stop();
      await desk[Symbol.asyncDispose]();
    },
  };
}

async function pushLongNames(client: RegistryClient): Promise<void> {
  const blob = await client.pushBlob(LONG, randomContent(BLOB_BYTES));
  const layers = [descriptorOf(blob, "application/vnd.oci.image.layer.v1.tar")];
  const image = await client.pushImage(LONG, TAG, {
    layers,
    annotations: { "org.opencontainers.image.description": "what it is for \u001b[31m ".repeat(20) },
  });
  await client.pushImage(LONG, "latest");
  await client.pushImage(LONG, undefined, {
    artifactType: "application/vnd.example.a-statement-of-a-very-long-name+json",
    subject: descriptorOf(image, OCI_MANIFEST),
  });
  await client.startUpload(LONG);
}

/** What is done to a server, in this order: each shows something that is long. */
const VERBS: readonly (readonly string[])[] = [
  ["whoami"],
  ["status"],
  ["identity", "create", "x".repeat(100), "--no-password", "--group", "a-group-of-a-very-long-name"],
  ["identity", "list"],
  [
    "role",
    "create",
    "a-role",
    "--verb",
    "pull",
    "--verb",
    "admin.search-audit",
    "--repository",
    `${LONG}/**`,
  ],
  ["role", "list"],
  ["binding", "create", "a-role", "--group", "g".repeat(70)],
  ["binding", "list"],
  ["identity", "token", "list"],
  ["repo", "list"],
  ["repo", "show", LONG],
  ["repo", "delete", LONG, "--dry-run"],
  ["df"],
  ["tag", "list", LONG],
  ["tag", "show", LONG, TAG],
  ["tag", "history", LONG, TAG],
  ["tag", "delete", LONG, TAG, "--dry-run"],
  ["manifest", "show", LONG, TAG],
  ["upload", "list"],
  ["gc", "--dry-run"],
  ["gc"],
  ["retention", "test"],
  ["retention", "run", "--dry-run"],
  ["scrub"],
  ["job", "list"],
  ["plugin", "list"],
  ["plugin", "show", "fs"],
  ["config", "show"],
  ["config", "reload", "--dry-run"],
  ["audit", "tail"],
  ["audit", "search"],
  ["context", "list"],
];

// deno-lint-ignore no-control-regex -- these are what a terminal is moved and coloured by
const ESCAPES = /\u001b\[[0-9;?]*[A-Za-z]/g;

/**
 * What of a text is wider than a terminal. What a carriage return overwrites counts, too. A sentence alone is left to the terminal
 * to break: in a pipe it is one line.
 */
function tooWide(text: string): string[] {
  const lines = text.replaceAll(ESCAPES, "").split(/[\r\n]+/).filter((line) => line !== "");
  return lines.length === 1 ? [] : lines.filter((line) => widthOf(line) > COLUMNS);
}

/** What sregctl writes to a terminal of 80 columns. */
async function writesTo(desk: Desk, args: readonly string[], env: Scene["env"]): Promise<string> {
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
  const command = [Deno.execPath(), ...sregctlArguments(), ...args].map(quote).join(" ");
  const { code, stdout } = await new Deno.Command("script", {
    args: ["-qec", `stty cols ${COLUMNS} rows 24; exec env -u NO_COLOR ${command}`, "/dev/null"],
    env: { XDG_CONFIG_HOME: `${desk.folder}/config`, TERM: "xterm-256color", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 0, `${args.join(" ")}\n${text}`);
  return text;
}

Deno.test({
  name: "sregctl fits 80 columns whatever a real server holds, on a terminal, by script and openssl",
  ignore: !hasProgram("script") || !hasProgram("openssl"),
  async fn() {
    await using scene = await setScene();
    for (const args of VERBS) {
      const text = await writesTo(scene.desk, args, scene.env);
      assertEquals(tooWide(text), [], args.join(" "));
      assert(text.length > 0, args.join(" "));
    }
    assert((await writesTo(scene.desk, ["tag", "list", LONG], scene.env)).includes("\u001b[2m"));
  },
});

Deno.test({
  name: "sregctl fits 80 columns in a pipe, and writes no escape code into it, by openssl",
  ignore: !hasProgram("openssl"),
  async fn() {
    await using scene = await setScene();
    for (const args of VERBS) {
      const { code, stdout, stderr } = await scene.desk.run(args, scene.env);
      const escapes = (stdout + stderr).match(/\p{Cc}/gu)?.filter((character) => character !== "\n") ?? [];
      assertEquals([code, tooWide(stdout), escapes], [0, [], []], `${args.join(" ")}\n${stdout}${stderr}`);
    }
  },
});

const SLOWLY = ["scrub", "--rehash", "--rate", "1MiB"];

Deno.test({
  name:
    "sregctl shows the bar of a real job over TLS, takes it away, and cancels it at Ctrl-C, by tmux and openssl",
  ignore: !hasProgram("tmux") || !hasProgram("openssl"),
  async fn() {
    await using scene = await setScene();
    {
      await using screen = await openScreen(scene.desk, SLOWLY, scene.env);
      const text = await screen.waitFor(/^scrub .*\/s/);
      assertEquals([text.split("\n").length, widthOf(text) <= COLUMNS], [1, true]);
      await screen.press("C-c");
      await screen.waitFor(/Leave it running[^]*Cancel the job[^]*Go on watching/);
      await screen.press("Down", "Enter");
      const { code, text: end } = await screen.ended();
      assertEquals(code, 1);
      assert(/is cancelled[^]*sregctl job resume/.test(end), end);
      assert(!/[█░]/.test(end), end);
    }
    const { jobs: [job] } = JSON.parse((await scene.desk.run(["job", "list", "--json"], scene.env)).stdout);
    assertEquals(job.state, "cancelled");
    await using screen = await openScreen(scene.desk, ["job", "resume", job.id], scene.env);
    await screen.waitFor(/^scrub .*\/s/);
    const { code, text } = await screen.ended();
    assertEquals([code, /[█░]/.test(text), text.split("\n").at(-1)], [0, false, "No damage stays"]);
  },
});

Deno.test({
  name:
    "sregctl asks at a terminal before it deletes from a real server, and says how much, by tmux and openssl",
  ignore: !hasProgram("tmux") || !hasProgram("openssl"),
  async fn() {
    await using scene = await setScene();
    const asked = async (key: string) => {
      await using screen = await openScreen(scene.desk, ["repo", "delete", LONG], scene.env);
      await screen.waitFor(/with 2 tags, 3 manifests, \d+ blobs, 1 upload\?/);
      await screen.press(key);
      return await screen.ended();
    };
    const no = await asked("n");
    assertEquals([no.code, no.text.includes("Nothing was done")], [1, true], no.text);
    const show = () => scene.desk.run(["repo", "show", LONG], scene.env);
    assertEquals((await show()).code, 0);
    const yes = await asked("y");
    assertEquals(yes.code, 0, yes.text);
    assertEquals((await show()).code, 1);
  },
});
