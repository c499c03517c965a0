/** What docs/webhooks.md shows is what the plugins do. */

import type { AuthAnswer } from "../../plugins/contract/auth.ts";
import type { PolicyAnswer, PolicyQuestion } from "../../plugins/contract/policy.ts";
import { readPluginFile } from "../../server/config/plugin_file.ts";
import { describeFields } from "../config/reference.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { ROOT } from "../support/registry.ts";
import { answers, type Deed, says, startOutside } from "./outside.ts";
import { PULL, readWebhook, showBasic, showBearer, startPolicy, startWebhook } from "./scene.ts";

/** The page's sections, by their headings. */
const SECTIONS = new Map(
  (await Deno.readTextFile(`${ROOT}docs/webhooks.md`)).split(/^## /m).slice(1)
    .map((section) => [section.split("\n", 1)[0]!, section]),
);

const MAY_DO = SECTIONS.get("What somebody may do")!;
const IS_WHO = SECTIONS.get("Who somebody is")!;

function blocks(section: string, language: string): string[] {
  return [...section.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms"))].map(([, text]) =>
    text!
  );
}

/** What a service answers, and the word for what that means. */
function listAnswers(
  section: string,
): { readonly row: string; readonly deed: Deed; readonly means: string }[] {
  const rows = section.matchAll(/^\| `(\d{3})`(?: with `(.*?)`)? +\| (\w+)/gm);
  return [...rows].map(([row, status, content, means]) => ({
    row,
    deed: content === undefined ? answers(Number(status)) : says(JSON.parse(content)),
    means: means!,
  }));
}

/** A section's configuration, with the service of a test in place of the one that is shown. */
async function withService(section: string, url: string) {
  const secret = await Deno.makeTempFile();
  await Deno.writeTextFile(secret, "correct horse battery staple\n");
  const config = blocks(section, "toml")[0]!
    .replace(/^url = .*$/m, `url = "${url}"`)
    .replace(/^secret_file = .*$/m, `secret_file = "${secret}"`)
    // Every answer of the page is to be given by the service.
    .replace(/^(?:cache|credentials) = .*\n/gm, "");
  const plugin = await startWebhook(config);
  await Deno.remove(secret);
  return { plugin, [Symbol.asyncDispose]: () => plugin.close() };
}

Deno.test("docs/webhooks.md: the configurations that are shown load as they are", async () => {
  const shown = await Promise.all(
    [MAY_DO, IS_WHO].map((section) => readWebhook(blocks(section, "toml")[0]!)),
  );
  assertEquals(shown.map(({ kind, name, options }) => [kind, name, options["cache"]]), [
    ["policy", "webhook.release", 30_000],
    ["auth", "webhook.directory", 60_000],
  ]);
});

/** The question of the page. */
const QUESTION: PolicyQuestion = {
  ...PULL,
  action: "put-manifest",
  reference: "v1.0.0",
  tags: ["v1.0.0"],
  method: "PUT",
  identity: {
    ...PULL.identity,
    certificate: {
      commonNames: ["ada"],
      organizations: ["Analytical Engines"],
      dnsNames: [],
      uris: ["spiffe://corp.example/ada"],
      emails: [],
      fingerprint: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    },
  },
};

Deno.test("docs/webhooks.md: a policy webhook is told what is shown", async () => {
  await using service = await startOutside(says({ decision: "allow" }));
  await using scene = await withService(MAY_DO, service.url);
  await scene.plugin.serve("policy").decide(QUESTION);
  assertEquals(service.questions[0]!.json, JSON.parse(blocks(MAY_DO, "json")[0]!));
});

Deno.test("docs/webhooks.md: an auth webhook is shown what is shown", async () => {
  await using service = await startOutside(answers(404));
  await using scene = await withService(IS_WHO, service.url);
  const auth = scene.plugin.serve("auth");
  await auth.authenticate(showBasic("ada", "correct horse battery staple"));
  await auth.authenticate(showBearer("kL3pQ9"));
  assertEquals(
    service.questions.map(({ json }) => json),
    blocks(IS_WHO, "json").map((text) => JSON.parse(text)),
  );
});

function meaningOf({ effect, warning }: PolicyAnswer): string {
  return warning === undefined ? effect : "silence";
}

Deno.test("docs/webhooks.md: a policy webhook understands", async (t) => {
  await using service = await startOutside(answers(500));
  const rows = listAnswers(MAY_DO);
  assertEquals(rows.length, 12);
  for (const { row, deed, means } of rows) {
    await t.step(row, async () => {
      await using scene = await withService(MAY_DO, service.url);
      service.does(deed);
      assertEquals(meaningOf(await scene.plugin.serve("policy").decide(PULL)), means);
    });
  }
});

Deno.test("docs/webhooks.md: an auth webhook understands", async (t) => {
  await using service = await startOutside(answers(500));
  await using scene = await withService(IS_WHO, service.url);
  const rows = listAnswers(IS_WHO);
  assertEquals(rows.length, 11);
  for (const { row, deed, means } of rows) {
    await t.step(row, async () => {
      service.does(deed);
      const answer: AuthAnswer | undefined = await scene.plugin.serve("auth")
        .authenticate(showBasic("ada", "pass")).catch(() => undefined);
      assertEquals(answer?.outcome ?? "silence", means);
      if (answer?.outcome === "known") assertEquals(answer.identity.id, "webhook:directory:7");
    });
  }
});

/** Runs the page's service on a free port. */
async function startShown() {
  const program = blocks(SECTIONS.get("Whom the service can believe")!, "ts")[0]!;
  const listen = '.listen(8080, "127.0.0.1");';
  assert(program.includes(listen));
  const telling = '.listen(0, "127.0.0.1", function () { console.log(this.address().port); });';
  const file = await Deno.makeTempFile({ suffix: ".mts" });
  await Deno.writeTextFile(file, program.replace(listen, telling));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-config", "--no-prompt", "--allow-net=127.0.0.1", file],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const port = Number(new TextDecoder().decode(value));
  const stop = async () => {
    child.kill("SIGTERM");
    await child.status;
    await reader.cancel();
    await Deno.remove(file);
  };
  return { url: `http://127.0.0.1:${port}/`, [Symbol.asyncDispose]: stop };
}

Deno.test("docs/webhooks.md: the service that is shown decides as the page says, for who knows the secret", async () => {
  await using service = await startShown();
  await using scene = await withService(MAY_DO, service.url);
  await using forger = await startPolicy(service.url, 'secret = "a guess"');
  await using unsigned = await startPolicy(service.url);
  const policy = scene.plugin.serve("policy");
  const release = { ...QUESTION, identity: { ...QUESTION.identity, groups: ["release"] } };
  const effects = await Promise.all([
    policy.decide(QUESTION),
    policy.decide(release),
    policy.decide(PULL),
    forger.policy.decide(PULL),
    unsigned.policy.decide(PULL),
  ]);
  assertEquals(effects.map(({ effect }) => effect), ["deny", "abstain", "abstain", "deny", "deny"]);
  assertEquals(effects.map(({ reason }) => reason).slice(3), Array(2).fill("the webhook answered 403"));
});

for (const kind of ["policy", "auth"]) {
  Deno.test(`docs/webhooks.md says of every key of [${kind}.webhook] its value, default and meaning`, async () => {
    const { options } = await readPluginFile(`${ROOT}plugins/${kind}/webhook`);
    const { name: _, ...fields } = options.fields;
    const section = SECTIONS.get(`\`[${kind}.webhook.<name>]\``)!;
    const rows = section.split("\n").filter((line) => line.startsWith("|")).slice(2);
    assertEquals(rows.map((row) => row.replace(/ +/g, " ")), describeFields(fields));
  });
}
