import type { Cache } from "../plugins/contract/cache.ts";
import type { Policy, PolicyQuestion } from "../plugins/contract/policy.ts";
import type { Storage } from "../plugins/contract/storage.ts";
import { type Access, createAccess } from "./access/access.ts";
import type { Decision } from "./access/policies.ts";
import type { AccessRequest } from "./access/request.ts";
import { DECIDED, formatDecisionFields } from "./admin/decision_lines.ts";
import type { StoredAccess } from "./access/access_store.ts";
import { type Config, ConfigError, type ConfigSources, type PluginConfig } from "./config/mod.ts";
import type { Log } from "./observe/log.ts";
import { closeAll, startAll, startConfigured, type StartedPlugin } from "./plugins.ts";

/** The auth and policy plugins of a configuration, running. */
export interface AccessChain {
  readonly auths: readonly StartedPlugin<"auth">[];
  readonly policies: readonly StartedPlugin<"policy">[];
  /** What says which images to keep: policies that can, and what has the rules of retention. */
  readonly keepers: readonly StartedPlugin<"policy">[];
  /** Whether it asks all that what is stored needs. */
  suffices(stored: Stored): boolean;
  close(): Promise<void>;
}

/** A configuration, and where each part of it was written. */
export interface ChainSource {
  readonly config: Config;
  readonly sources: Pick<ConfigSources, "problemAt">;
  readonly log: Log;
  /** What the registry's store has, or has had. */
  readonly stored?: Stored;
}

/** What must be asked about, whether the configuration says so or not. */
type Stored = Pick<StoredAccess, "hadIdentities" | "hadBindings">;

/**
 * Starts the plugins that decide access. Fails where one does not start, and with a `ConfigError` where a policy finds
 * something wrong in what it was told.
 */
export async function startAccessChain(source: ChainSource): Promise<AccessChain> {
  const { config, sources, log, stored = { hadIdentities: false, hadBindings: false } } = source;
  const hasPasswords = stored.hadIdentities || config.auths.includes(config.passwords);
  const hasRoles = stored.hadBindings || config.policies.includes(config.roles);
  const suffices = ({ hadIdentities, hadBindings }: Stored) =>
    (hasPasswords || !hadIdentities) && (hasRoles || !hadBindings);
  const auths = await startAll("auth", including(config.auths, hasPasswords && config.passwords), log);
  try {
    const asked = including(config.policies, hasRoles && config.roles);
    const started = await startAll("policy", config.retention ? [...asked, config.retention] : asked, log);
    const close = async () => void await closeAll([...auths, ...started]);
    try {
      await checkPolicies(started.map(({ contract }) => contract), sources);
    } catch (error) {
      await closeAll(started);
      throw error;
    }
    // What has nothing but rules of retention decides nothing: were it asked, nobody could do anything.
    const policies = started.slice(0, asked.length);
    const keepers = started.filter(({ contract }) => contract.retain !== undefined);
    return { auths, policies, keepers, suffices, close };
  } catch (error) {
    await closeAll(auths);
    throw error;
  }
}

/** Passwords are asked for first, and the order of policies says nothing. */
function including(plugins: readonly PluginConfig[], wanted: PluginConfig | false): readonly PluginConfig[] {
  return wanted && !plugins.includes(wanted) ? [wanted, ...plugins] : plugins;
}

/** Asks a plugin that runs for this one question alone. */
async function askOnce<Kind extends "auth" | "policy", T>(
  started: Promise<StartedPlugin<Kind>>,
  ask: (plugin: StartedPlugin<Kind>["contract"]) => Promise<T>,
): Promise<T> {
  const { contract, close } = await started;
  try {
    return await ask(contract);
  } finally {
    await close();
  }
}

/** Access as the chain decides it, over the store that holds its tokens and keys. */
export function createChainedAccess(chain: AccessChain, { storage, cache, config, log, onRefusal }: {
  readonly storage: Storage;
  /** What is shared with other servers besides. */
  readonly cache?: Cache | undefined;
  readonly config: Config;
  readonly log: Log;
  /** Told of each credential that is refused. */
  readonly onRefusal?: (request: AccessRequest, reason: string) => void;
}): Access {
  const { challenges, tokenService, tokenLifetimeMs, refreshTokenLifetimeMs } = config.access;
  return createAccess(storage, {
    auths: chain.auths.map(({ name, contract }) => ({ name, auth: contract })),
    policies: chain.policies.map(({ name, contract }) => ({ name, policy: contract })),
    spares: {
      askPasswords: (ask) => askOnce(startConfigured("auth", config.passwords, log), ask),
      askRoles: (ask) => askOnce(startConfigured("policy", config.roles, log), ask),
    },
    hasCertificates: [config.server, config.admin].some((place) => place?.tls?.clientCaBundle !== undefined),
    challenges,
    service: tokenService,
    tokenLifetimeMs,
    refreshTokenLifetimeMs,
    cache,
    onDecision: (question, decision) => logDecision(log, question, decision),
    onRefusal(request, reason) {
      log.info("Refused a credential", { clientAddress: request.clientAddress, reason });
      onRefusal?.(request, reason);
    },
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
