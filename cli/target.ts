/** Which server is meant, and who one is there: by flags, by the environment, by the current context. */

import { nearest } from "../plugins/contract/nearest.ts";
import { type Context, type Contexts, readContexts } from "./contexts.ts";
import type { GlobalFlags } from "./frame.ts";
import { Misuse } from "./misuse.ts";

/** Who asks. */
export type Credentials =
  | { readonly username: string; readonly password: string }
  | { readonly token: string };

/** A server, how to speak to it, and as who. */
export interface Target {
  readonly server: URL;
  readonly credentials?: Credentials | undefined;
  /** What to do where they are not taken: "; sign in: …". */
  readonly signIn?: string | undefined;
  /** Files of PEM. */
  readonly ca?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** Whether credentials may go over a wire that others can listen to. */
  readonly insecureHttp: boolean;
}

/**
 * The server that is meant: `--server`, `--context`, `SREG_SERVER`, the current context, in this order.
 * Credentials are those of the environment, unless `--context` names others; else those of the context, which go to
 * no other server than its own.
 */
export async function findTarget(flags: GlobalFlags): Promise<Target> {
  const named = flags.server ?? (flags.context === undefined ? fromEnvironment("SREG_SERVER") : undefined);
  const contexts = await readContexts();
  const context = named === undefined || flags.context !== undefined
    ? pickContext(contexts, flags.context)
    : contextOf(contexts, parseServer(named));
  const server = parseServer(named ?? context!.server);
  const own = context && parseServer(context.server).origin === server.origin ? context : undefined;
  const fromOutside = flags.context === undefined ? environmentCredentials() : undefined;
  const credentials = fromOutside ?? contextCredentials(own);
  return {
    server,
    credentials,
    signIn: fromOutside
      ? `; they are those of ${"token" in fromOutside ? "SREG_TOKEN" : "SREG_USERNAME and SREG_PASSWORD"}`
      : `; sign in${credentials ? " again" : ""}: sregctl login ${
        (own?.server ?? server.href).replace(/\/+$/, "")
      }`,
    ca: fromEnvironment("SREG_CA") ?? own?.ca,
    certificate: fromEnvironment("SREG_CERT") ?? own?.certificate,
    key: fromEnvironment("SREG_KEY") ?? own?.key,
    insecureHttp: own?.insecure_http === true || fromEnvironment("SREG_INSECURE_HTTP") === "1",
  };
}

/** A server's URL, as users write it. */
export function parseServer(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol)) {
    const shown = JSON.stringify(url.replace(/[^/]*@/, "***@"));
    throw new Misuse(`Cannot ask ${shown}: expected a URL such as https://registry.example`);
  }
  if (parsed.username || parsed.password) {
    throw new Misuse("Cannot ask the server: SREG_USERNAME and SREG_PASSWORD carry credentials, not the URL");
  }
  return parsed;
}

/** The context of this name, else the current one. */
export function pickContext({ contexts, current }: Contexts, name: string | undefined = current): Context {
  if (name === undefined) {
    throw new Misuse("Cannot tell which server is meant: sregctl login URL, or --server URL");
  }
  if (Object.hasOwn(contexts, name)) return contexts[name]!;
  const meant = nearest(name, Object.keys(contexts));
  throw new Misuse(`--context: there is no "${name}"${meant ? `, did you mean ${meant}?` : ""}`);
}

/** Refuses to show credentials to whoever listens on the way. */
export function requireSafe({ server, credentials, insecureHttp }: Target): void {
  if (server.protocol === "https:" || !credentials || insecureHttp || isLoopback(server.hostname)) return;
  throw new Misuse(
    `Cannot send credentials to ${server.origin}: over plain HTTP others can read them; use https://, ` +
      "or allow it: login --insecure-http, SREG_INSECURE_HTTP=1",
  );
}

/** Asks this machine itself: what the environment has for a proxy would be sent what `requireSafe` lets pass. */
export function stayDirect({ server }: Pick<Target, "server">): void {
  if (!isLoopback(server.hostname)) return;
  const direct = [
    fromEnvironment("NO_PROXY") ?? fromEnvironment("no_proxy"),
    server.hostname.replace(/^\[|\]$/g, ""),
  ];
  for (const name of ["NO_PROXY", "no_proxy"]) Deno.env.set(name, direct.filter(Boolean).join(","));
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]" ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function contextOf({ contexts, current }: Contexts, server: URL): Context | undefined {
  const same = (context: Context) =>
    URL.canParse(context.server) && new URL(context.server).origin === server.origin;
  const preferred = current !== undefined && Object.hasOwn(contexts, current) ? [contexts[current]!] : [];
  return [...preferred, ...Object.values(contexts)].find(same);
}

function contextCredentials(context: Context | undefined): Credentials | undefined {
  if (context?.username === undefined) return undefined;
  return { username: context.username, password: context.password ?? "" };
}

function environmentCredentials(): Credentials | undefined {
  const token = fromEnvironment("SREG_TOKEN");
  if (token) return { token };
  const username = fromEnvironment("SREG_USERNAME");
  return username ? { username, password: fromEnvironment("SREG_PASSWORD") ?? "" } : undefined;
}

function fromEnvironment(name: string): string | undefined {
  return Deno.env.get(name) || undefined;
}
