import { ANONYMOUS, type Identity } from "../plugins/contract/identity.ts";
import type { PolicyQuestion } from "../plugins/contract/policy.ts";
import { startAccessChain } from "./access_chain.ts";
import type { Decision } from "./access/policies.ts";
import { decideQuestion, explainQuestion, type PolicyVerdict } from "./admin/explanation.ts";
import { type Config, type ConfigSource, readConfig } from "./config/mod.ts";
import type { Log } from "./observe/log.ts";

export type { Decision } from "./access/policies.ts";

/** The policies of a configuration, running without a server. */
export interface PolicyTrial extends AsyncDisposable {
  /** The identities that the configuration names, by id. */
  readonly identities: ReadonlyMap<string, Identity>;
  /** What the policies say, as they would of a request. */
  decide(question: PolicyQuestion): Promise<Decision>;
  /** What becomes of each of their rules. */
  explain(question: PolicyQuestion): Promise<readonly PolicyVerdict[]>;
}

/** Told of what a plugin has to say besides its answers. */
export type OnWarning = (message: string) => void;

/**
 * Starts the policies of a configuration in their sandboxes, and none of its other plugins. Throws a `ConfigError` for what
 * is wrong with the configuration or in what it tells them.
 */
export async function openPolicyTrial(source: ConfigSource, onWarning: OnWarning): Promise<PolicyTrial> {
  const { config, sources } = await readConfig(source);
  const log = warningsOf(onWarning);
  const chain = await startAccessChain({ config: { ...config, auths: [] }, sources, log });
  const parts = {
    policies: chain.policies.map(({ name, contract }) => ({ name, policy: contract })),
    hasAuth: config.auths.length > 0 || config.server.tls?.clientCaBundle !== undefined,
  };
  return {
    identities: configuredIdentities(config),
    decide: (question) => decideQuestion(parts, question),
    explain: (question) => explainQuestion(parts, question),
    [Symbol.asyncDispose]: () => chain.close(),
  };
}

/** Reads a configuration and starts all that decides access, and ends it again. Throws for what would stop the server. */
export async function tryConfig(source: ConfigSource, onWarning: OnWarning): Promise<void> {
  const { config, sources } = await readConfig(source);
  const chain = await startAccessChain({ config, sources, log: warningsOf(onWarning) });
  await chain.close();
}

/** The identities of `[identity.<id>]`, by id, as the password plugin would know them. */
export function configuredIdentities({ auths }: Config): ReadonlyMap<string, Identity> {
  const password = auths.find(({ name }) => name === "password");
  const written = (password?.options.identities ?? []) as readonly WrittenIdentity[];
  return new Map(written.map(({ id, username, groups }) => [id, { ...ANONYMOUS, id, username, groups }]));
}

/** An identity as the password plugin is told of it; its hash is nobody else's business. */
interface WrittenIdentity {
  readonly id: string;
  readonly username: string;
  readonly groups: readonly string[];
}

function warningsOf(onWarning: OnWarning): Log {
  const warn = (message: string) => onWarning(message);
  const nothing = () => {};
  return { debug: nothing, info: nothing, warn, error: warn };
}
