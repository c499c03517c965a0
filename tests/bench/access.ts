/**
 * What access costs: sreg with identities, five CEL rules and roles, beside one that lets everybody do everything.
 *
 * @module
 */

import { identityTables } from "../support/identities.ts";
import { startRegistry } from "../support/registry.ts";
import type { Contender, Started } from "./contest.ts";
import { MANIFESTS_REPOSITORY } from "./workloads.ts";

/** The rows that are compared. */
export const ACCESS_ROWS = /^manifests: manifest GET/;

const POLICIES = `
[global.access_policy]
default_allow = true
rules = [
  "request.action.startsWith('delete-') && identity.username != 'admin'",
  "request.namespace != null && request.namespace.startsWith('secret/') && !('staff' in identity.groups)",
  "request.reference != null && request.reference.matches('^internal-.*')",
  "identity.claims.exists(claim, claim == 'suspended')",
  "request.client_address == '192.0.2.1'",
]
[[binding]]
role = "pull"
users = ["reader"]
[[binding]]
role = "push"
users = ["*"]
`;

/** Each way to say who one is, against an open registry. */
export function accessMatches(open: Contender): Contender[][] {
  const basic = `Basic ${btoa("reader:reader-password")}`;
  return [
    [guarded("Basic", () => Promise.resolve(basic)), open],
    [guarded("Bearer", (url) => fetchToken(url, basic)), open],
  ];
}

function guarded(name: string, authorize: (url: string) => Promise<string>): Contender {
  return {
    name,
    async start(folder): Promise<Started> {
      const config = await identityTables(["reader"]) + POLICIES;
      const registry = await startRegistry({ dataDir: `${folder}/data`, config });
      return {
        url: registry.url,
        pid: registry.pid,
        headers: [`authorization: ${await authorize(registry.url)}`],
        [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
      };
    },
  };
}

async function fetchToken(url: string, authorization: string): Promise<string> {
  const scope = `repository:${MANIFESTS_REPOSITORY}:pull,push`;
  const answer = await fetch(`${url}/token?service=sreg&scope=${scope}`, { headers: { authorization } });
  const { token } = await answer.json() as { token: string };
  return `Bearer ${token}`;
}
