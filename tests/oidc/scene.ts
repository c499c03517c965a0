/** The plugin as the server starts it: from a configuration file, in its sandbox, with what it asks for and no more. */

import type { Auth, AuthAnswer, Credential } from "../../plugins/contract/auth.ts";
import { loadConfig, type PluginConfig } from "../../server/config/mod.ts";
import { expandPermissions, startPlugin } from "../../server/sandbox/mod.ts";
import type { TestIssuer } from "./issuer.ts";

/** A plugin that runs. */
export interface Scene extends AsyncDisposable {
  readonly auth: Auth;
  /** What it says of a token that is shown as Bearer. */
  bearer(token: string): Promise<AuthAnswer>;
  /** What it says of a token that is shown as a password. */
  password(token: string): Promise<AuthAnswer>;
}

/** The auth plugins of a configuration. */
export async function readAuths(config: string): Promise<readonly PluginConfig[]> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-oidc-" });
  try {
    await Deno.writeTextFile(`${folder}/sreg.toml`, config);
    return (await loadConfig({ files: [`${folder}/sreg.toml`] })).auths;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Starts the plugin for `[auth.oidc.<name>]` with these lines of TOML. */
export async function startOidc(lines: readonly string[], name = "main"): Promise<Scene> {
  const [config] = await readAuths([`[auth.oidc.${name}]`, ...lines].join("\n"));
  const permissions = expandPermissions(config!.permissions, config!.options);
  const plugin = await startPlugin({ ...config!, permissions });
  const auth = plugin.serve("auth");
  const show = (credential: Credential) =>
    auth.authenticate({ credential, certificate: null, clientAddress: "192.0.2.1" });
  return {
    auth,
    bearer: (token) => show({ scheme: "bearer", token }),
    password: (password) => show({ scheme: "basic", username: "oidc", password }),
    [Symbol.asyncDispose]: () => plugin.close(),
  };
}

/** Starts the plugin for an issuer of a test, with further lines. */
export function startFor(issuer: TestIssuer, ...lines: string[]): Promise<Scene> {
  return startOidc([`issuer = "${issuer.url}"`, 'audience = ["registry"]', ...lines]);
}
