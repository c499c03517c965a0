/** What docs/oidc.md shows is what the plugin does. */

import { parse } from "smol-toml";
import { checkGrant, expandPermissions } from "../../server/sandbox/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { ROOT } from "../support/registry.ts";
import { TestIssuer } from "./issuer.ts";
import { readAuths, startOidc } from "./scene.ts";

const page = await Deno.readTextFile(`${ROOT}docs/oidc.md`);

interface Example {
  readonly title: string;
  readonly config: string;
  readonly claims: Record<string, unknown>;
  readonly identity: Record<string, unknown>;
}

/** The sections that show a configuration, what a token says, and what identity that is. */
const EXAMPLES: readonly Example[] = page.split(/^## /m).slice(1).flatMap((section) => {
  const blocks = (language: string) =>
    [...section.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms"))].map(([, text]) => text!);
  const [config] = blocks("toml");
  if (config === undefined) return [];
  const [claims, identity] = blocks("json").map((text) => JSON.parse(text));
  return [{ title: section.split("\n", 1)[0]!, config, claims, identity }];
});

const HOSTS: Readonly<Record<string, readonly string[]>> = {
  "GitHub Actions": ["token.actions.githubusercontent.com:443"],
  "GitLab": ["gitlab.com:443"],
  "Kubernetes service accounts": ["kubernetes.default.svc.cluster.local:443"],
  "Google": ["accounts.google.com:443", "www.googleapis.com"],
  "Any other provider": ["sso.corp.example:443"],
};

Deno.test("docs/oidc.md shows an example for each provider", () => {
  assertEquals(EXAMPLES.map(({ title }) => title), Object.keys(HOSTS));
});

for (const { title, config, claims, identity } of EXAMPLES) {
  Deno.test(`docs/oidc.md: the configuration of "${title}" loads, and may connect to its provider alone`, async () => {
    const [plugin, ...others] = await readAuths(config);
    assert(plugin);
    assertEquals(others, []);
    const { net = [], ...rest } = expandPermissions(plugin.permissions, plugin.options);
    assertEquals(checkGrant({ net }, { net: HOSTS[title]! }), []);
    assertEquals(checkGrant({ net: HOSTS[title]! }, { net }), []);
    const { ca_bundle } = plugin.options;
    assertEquals(rest, ca_bundle === undefined ? {} : { read: [ca_bundle] });
  });

  Deno.test(`docs/oidc.md: the token of "${title}" is the identity that is shown`, async () => {
    await using issuer = new TestIssuer();
    const { auth } = parse(config) as { auth: { oidc: Record<string, { audience: string[] }> } };
    const [[name, settings]] = Object.entries(auth.oidc) as [[string, { audience: string[] }]];
    const lines = config.split("\n").slice(1)
      .filter((line) => !/^(?:jwks_uri|jwks_hosts|ca_bundle) /.test(line))
      .map((line) => line.startsWith("issuer ") ? `issuer = "${issuer.url}"` : line);
    await using scene = await startOidc(lines, name);
    const answer = await scene.bearer(issuer.token({ ...claims, aud: settings.audience[0] }));
    assert(answer.outcome === "known", JSON.stringify(answer));
    const { id, username, groups } = answer.identity;
    assertEquals({ id, username, groups }, identity);
  });
}

Deno.test("docs/oidc.md lists each option of the plugin with its default", async () => {
  const file = parse(await Deno.readTextFile(`${ROOT}plugins/auth/oidc/plugin.toml`)) as {
    options: Record<string, { required?: boolean; default?: unknown }>;
  };
  const { name: _, ...options } = file.options;
  const expected = Object.entries(options).map(([key, { required, default: fallback }]) => {
    if (key === "algorithms") return [key, "see below"];
    if (required) return [key, "required"];
    if (fallback === undefined) return [key, ""];
    return [key, `\`${JSON.stringify(fallback)}\``];
  });
  const section = page.slice(page.indexOf("## Settings"));
  const rows = [...section.matchAll(/^\| `(\w+)` +\| ([^|]*?) +\| /gm)].map(([, key, shown]) => [key, shown]);
  assertEquals(rows.slice(0, expected.length), expected);
});
