import { AsyncLocalStorage } from "node:async_hooks";
import type { Cache } from "../plugins/contract/cache.ts";
import { PluginError } from "../plugins/contract/error.ts";
import type { Storage } from "../plugins/contract/storage.ts";
import type { Access } from "./access/access.ts";
import type { StoredAccess } from "./access/access_store.ts";
import { TOKEN_PATH } from "./access/challenges.ts";
import { type AccessChain, createChainedAccess, startAccessChain } from "./access_chain.ts";
import { recordExchange, refusedSignIn } from "./admin/audit_entries.ts";
import { type AdminParts, adminRoutes } from "./admin/routes.ts";
import { createHandler, type Handler } from "./api/handler.ts";
import type { Route } from "./api/route.ts";
import { ROUTES } from "./api/routes.ts";
import type { ReadConfig } from "./config/mod.ts";
import type { AuditTrail } from "./observe/audit.ts";
import type { Log } from "./observe/log.ts";
import type { Registry } from "./registry/registry.ts";
import type { RepositoryRules } from "./registry/tags.ts";
import { repositoryRules } from "./repository_rules.ts";
import { retentionTerms, type TermsOf } from "./retention_terms.ts";

/** What of a server a configuration decides: replaced as a whole, and ended when its last request has ended. */
export interface Setup {
  readonly read: ReadConfig;
  readonly access: Access;
  readonly rules: RepositoryRules;
  readonly retention: TermsOf;
  /** Serves the registry's listener. */
  readonly handler: Handler;
  /** Serves the administration's own; without one the registry's serves all. */
  readonly adminHandler: Handler;
  readonly chain: AccessChain;
  /** What it was told of the store last. */
  stored: StoredAccess;
  requests: number;
  retired: boolean;
}

/** What every setup of a server is made of. */
export interface SetupParts {
  readonly registry: Registry;
  readonly storage: Storage;
  readonly cache: Cache | undefined;
  readonly log: Log;
  readonly audit: AuditTrail;
  /** What the rows of the administration are served from. */
  readonly admin: AdminParts;
  /** What the store says of access, as it was read last. */
  stored: StoredAccess;
}

/** Starts what a configuration asks for. Fails where it cannot be used; then nothing runs. */
export async function createSetup(read: ReadConfig, parts: SetupParts): Promise<Setup> {
  const { storage, cache, log, audit, stored } = parts;
  const { config, sources } = read;
  const chain = await startAccessChain({ config, sources, log, stored });
  try {
    const access = createChainedAccess(chain, {
      storage,
      cache,
      config,
      log,
      onRefusal: (request, reason) => audit.record(refusedSignIn(request, reason)),
    });
    await tellAccess(access, stored, log);
    // The keys that sign tokens are there before the first one is asked for.
    if (chain.auths.length > 0) await access.tokens.publicKeys();
    const handlers = createHandlers(read, { ...parts, access });
    const rules = repositoryRules(config);
    const retention = retentionTerms(config, chain.keepers);
    return { read, access, rules, retention, ...handlers, chain, stored, requests: 0, retired: false };
  } catch (error) {
    await chain.close();
    throw error;
  }
}

/** Where the administration has a listener of its own, nothing else but tokens can be reached there, and it nowhere else. */
function createHandlers(
  { config: { server, admin, uploads } }: ReadConfig,
  { registry, log, audit, admin: adminParts, access }: SetupParts & { readonly access: Access },
): Pick<Setup, "handler" | "adminHandler"> {
  const handlerOf = (routes: readonly Route[], place: typeof server | NonNullable<typeof admin>) =>
    createHandler({
      routes,
      registry,
      access,
      frontage: {
        secure: place.tls !== undefined,
        trustedProxies: server.trustedProxies,
        ...(place === server && { externalUrl: server.externalUrl }),
      },
      log,
      stallTimeoutMs: uploads.stallTimeoutMs,
      onEnd: (exchange) => recordExchange(audit, exchange),
    });
  const adminRows = adminRoutes(adminParts);
  if (!admin) {
    const handler = handlerOf([...ROUTES, ...adminRows], server);
    return { handler, adminHandler: handler };
  }
  const tokenRows = ROUTES.filter(({ path }) => path.startsWith(TOKEN_PATH));
  return { handler: handlerOf(ROUTES, server), adminHandler: handlerOf([...tokenRows, ...adminRows], admin) };
}

/** Tells a setup what the store says of access now. */
export async function tell(setup: Setup, { stored, log }: SetupParts): Promise<void> {
  setup.stored = stored;
  await tellAccess(setup.access, stored, log);
}

/** Fails where a plugin cannot be told now. What it cannot use of what it was told is for people to mend. */
async function tellAccess(access: Access, stored: StoredAccess, log: Log): Promise<void> {
  try {
    await access.replaceStored(stored);
  } catch (error) {
    if (!(error instanceof PluginError) || error.code !== "failed") throw error;
    log.error("Not all that the store says of access is in force", { error: error.message });
  }
}

/** The setup that a request began with: it holds to the request's end, whatever is taken over meanwhile. */
const requestSetup = new AsyncLocalStorage<Setup>();

/** The setup of the request that this is called for; `undefined` outside of requests. */
export function setupOfRequest(): Setup | undefined {
  return requestSetup.getStore();
}

/** Serves a request by one of a setup's handlers. */
export async function serve(
  setup: Setup,
  handler: "handler" | "adminHandler",
  request: Parameters<Handler>,
): Promise<Response> {
  setup.requests++;
  try {
    return await requestSetup.run(setup, () => setup[handler](...request));
  } finally {
    setup.requests--;
    endIfIdle(setup);
  }
}

/** Ends a setup with its last request. */
export function retire(setup: Setup): void {
  setup.retired = true;
  endIfIdle(setup);
}

function endIfIdle(setup: Setup): void {
  if (setup.retired && setup.requests === 0) void setup.chain.close();
}
