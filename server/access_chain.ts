import type { Policy, PolicyQuestion } from "../plugins/contract/policy.ts";
import type { Storage } from "../plugins/contract/storage.ts";
import { type Access, createAccess } from "./access/access.ts";
import type { Decision } from "./access/policies.ts";
import { DECIDED, formatDecisionFields } from "./admin/decision_lines.ts";
import { type Config, ConfigError, type ConfigSources } from "./config/mod.ts";
import type { Log } from "./observe/log.ts";
import { closeAll, startAll, type StartedPlugin } from "./plugins.ts";

/** The auth and policy plugins of a configuration, running. */
export interface AccessChain {
  readonly auths: readonly StartedPlugin<"auth">[];
  readonly policies: readonly StartedPlugin<"policy">[];
  close(): Promise<void>;
}

/** A configuration, and where each part of it was written. */
export interface ChainSource {
  readonly config: Config;
  readonly sources: Pick<ConfigSources, "problemAt">;
  readonly log: Log;
  /** Whether the registry's store has identities with passwords. */
  readonly hasStored?: boolean;
}

/**
 * Starts the plugins that decide access. Fails where one does not start, and with a `ConfigError` where a policy finds
 * something wrong in what it was told.
 */
export async function startAccessChain(source: ChainSource): Promise<AccessChain> {
  const { config, sources, log, hasStored = false } = source;
  const isMissing = hasStored && !config.auths.includes(config.passwords);
  const auths = await startAll("auth", isMissing ? [config.passwords, ...config.auths] : config.auths, log);
  try {
    const policies = await startAll("policy", config.policies, log);
    const close = async () => void await closeAll([...auths, ...policies]);
    try {
      await checkPolicies(policies.map(({ contract }) => contract), sources);
    } catch (error) {
      await closeAll(policies);
      throw error;
    }
    return { auths, policies, close };
  } catch (error) {
    await closeAll(auths);
    throw error;
  }
}

/** Access as the chain decides it, over the store that holds its tokens and keys. */
export function createChainedAccess(chain: AccessChain, { storage, config, log }: {
  readonly storage: Storage;
  readonly config: Config;
  readonly log: Log;
}): Access {
  const { challenges, tokenService, tokenLifetimeMs, refreshTokenLifetimeMs } = config.access;
  return createAccess(storage, {
    auths: chain.auths.map(({ name, contract }) => ({ name, auth: contract })),
    policies: chain.policies.map(({ name, contract }) => ({ name, policy: contract })),
    hasCertificates: config.server.tls?.clientCaBundle !== undefined,
    challenges,
    service: tokenService,
    tokenLifetimeMs,
    refreshTokenLifetimeMs,
    onDecision: (question, decision) => logDecision(log, question, decision),
    onRefusal: ({ clientAddress }, reason) => log.info("Refused a credential", { clientAddress, reason }),
  });
}

async function checkPolicies(
  policies: readonly Policy[],
  sources: Pick<ConfigSources, "problemAt">,
): Promise<void> {
  const problems = (await Promise.all(policies.map((policy) => policy.check?.() ?? []))).flat();
  if (problems.length === 0) return;
  throw new ConfigError(
    problems.map(({ path, offset, length, message }) => sources.problemAt(path, { offset, length }, message)),
  );
}

function logDecision(
  log: Log,
  asked: PolicyQuestion,
  { allowed, rule, reason, warnings }: Decision,
): void {
  const question = formatDecisionFields(asked);
  for (const warning of warnings) log.warn("A policy could not decide", { ...question, warning });
  log.debug(DECIDED, { ...question, allowed, rule, reason });
}
