/** Webhooks as the server starts them: from a configuration file, in their sandbox, with what they ask for and no more. */

import type { Auth, AuthQuestion, Credential } from "../../plugins/contract/auth.ts";
import { ANONYMOUS } from "../../plugins/contract/identity.ts";
import type { Policy, PolicyQuestion } from "../../plugins/contract/policy.ts";
import { loadConfig, type PluginConfig } from "../../server/config/mod.ts";
import { expandPermissions, type RunningPlugin, startPlugin } from "../../server/sandbox/mod.ts";

/** A policy webhook that runs. */
export interface PolicyScene extends AsyncDisposable {
  readonly policy: Policy;
}

/** An auth webhook that runs. */
export interface AuthScene extends AsyncDisposable {
  readonly auth: Auth;
}

/** The webhook of a configuration that has one. */
export async function readWebhook(config: string): Promise<PluginConfig> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-webhook-" });
  try {
    await Deno.writeTextFile(`${folder}/sreg.toml`, config);
    const { auths, policies } = await loadConfig({ files: [`${folder}/sreg.toml`] });
    return [...auths, ...policies][0]!;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Starts the webhook of a configuration that has one. */
export async function startWebhook(config: string): Promise<RunningPlugin> {
  const webhook = await readWebhook(config);
  const permissions = expandPermissions(webhook.permissions, webhook.options);
  return await startPlugin({ ...webhook, permissions });
}

/** Starts the policy of `[policy.webhook.main]`, with further lines of TOML. */
export async function startPolicy(url: string, ...lines: string[]): Promise<PolicyScene> {
  const plugin = await startWebhook(["[policy.webhook.main]", `url = "${url}"`, ...lines].join("\n"));
  return { policy: plugin.serve("policy"), [Symbol.asyncDispose]: () => plugin.close() };
}

/** Starts the plugin of `[auth.webhook.main]`, with further lines of TOML. */
export async function startAuth(url: string, ...lines: string[]): Promise<AuthScene> {
  const plugin = await startWebhook(["[auth.webhook.main]", `url = "${url}"`, ...lines].join("\n"));
  return { auth: plugin.serve("auth"), [Symbol.asyncDispose]: () => plugin.close() };
}

/** Someone who shows a password. */
export function showBasic(username: string, password: string): AuthQuestion {
  return show({ scheme: "basic", username, password });
}

/** Someone who shows a token. */
export function showBearer(token: string): AuthQuestion {
  return show({ scheme: "bearer", token });
}

function show(credential: Credential): AuthQuestion {
  return { credential, certificate: null, clientAddress: "192.0.2.1" };
}

/** A pull by tag, at the end of January 2030. */
export const PULL: PolicyQuestion = {
  identity: {
    ...ANONYMOUS,
    id: "identity:ada",
    username: "ada",
    groups: ["math"],
    claims: { team: "engine" },
  },
  action: "get-manifest",
  namespace: "team/app",
  digest: null,
  reference: "v1",
  tags: [],
  method: "GET",
  clientAddress: "192.0.2.1",
  timeMs: Date.UTC(2030, 0, 31, 12),
  ahead: false,
};
