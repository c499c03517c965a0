import {
  compareConfig,
  ConfigError,
  type ConfigProblem,
  type ConfigSource,
  type ReadConfig,
  readConfig,
} from "./config/mod.ts";
import { watchFiles } from "./config/watch.ts";
import type { Listener, TlsOptions } from "./http/listen.ts";
import type { Log } from "./observe/log.ts";
import { expandPermissions } from "./sandbox/mod.ts";
import type { Server } from "./server.ts";

/** What is kept in step with its configuration. */
export interface ReloadOptions {
  readonly source: ConfigSource;
  /** The configuration that it was started with. */
  readonly read: ReadConfig;
  /** When that was read, as `Date.now()` says it. */
  readonly readAtMs: number;
  readonly server: Pick<Server, "replace" | "check">;
  readonly listeners: Listeners;
  readonly log: Log;
  /** Told of each configuration that was taken over. */
  readonly onReplaced: (read: ReadConfig) => void;
}

/** The registry's listener, and the administration's, where it has one of its own. */
export interface Listeners {
  readonly registry: Listener;
  readonly admin?: Listener | undefined;
}

/** Keeps a server in step with its files. */
export interface Reloader {
  /** Reads everything again now. What cannot be used changes nothing: it is told to the log, and answered. */
  reload(): Promise<readonly ConfigProblem[]>;
  /** Reads everything again, and answers what is wrong; changes nothing. */
  check(): Promise<readonly ConfigProblem[]>;
  /** Why the last reload changed nothing; `undefined`: it did. */
  lastError(): string | undefined;
  /** Ends the watch. */
  stop(): Promise<void>;
}

/** Watches the files of a configuration, and takes it over when they change: all or nothing. */
export function startReloader(options: ReloadOptions): Reloader {
  const { source, server, listeners, log } = options;
  let running = options.read;
  let lastError: string | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done.catch(() => {});
    return done;
  };
  const readNext = async () => {
    const next = await readConfig(source);
    const fixed = compareConfig(running.config, next.config);
    if (fixed.length > 0) throw new RestartNeeded(fixed);
    const { server: { tls }, admin } = next.config;
    const texts = { registry: tls && await readTls(tls), admin: admin?.tls && await readTls(admin.tls) };
    return { next, texts };
  };
  const replace = async () => {
    const { next, texts } = await readNext();
    await server.replace(next, () => replaceCertificates(listeners, texts));
    running = next;
    options.onReplaced(next);
    log.info("Took over the configuration", { files: next.sources.paths });
  };
  const reload = () =>
    inTurn(async () => {
      const failure = await failureOf(replace);
      lastError = failure?.reason;
      if (failure) log.error("Cannot take over the configuration; the one before stays in force", failure);
      return failure?.problems ?? [];
    });
  const check = () =>
    inTurn(async () => {
      const failure = await failureOf(async () => await server.check((await readNext()).next));
      return failure?.problems ?? [];
    });
  const watch = watchFiles(() => watchedPaths(running), {
    sinceMs: options.readAtMs,
    onChange: async () => void await reload(),
  });
  return { reload, check, lastError: () => lastError, stop: () => watch.stop() };
}

/** Keys that cannot change while a server runs. */
class RestartNeeded extends Error {
  readonly keys: readonly string[];

  constructor(keys: readonly string[]) {
    super(`only a restart can change ${keys.join(", ")}`);
    this.name = "RestartNeeded";
    this.keys = keys;
  }
}

/** Why something could not be done, as a text and in parts. */
type Failure = { readonly reason: string; readonly problems: readonly ConfigProblem[] };

async function failureOf(work: () => Promise<void>): Promise<Failure | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    const { message: reason } = error as Error;
    if (error instanceof ConfigError) return { reason, problems: error.problems };
    const keys = error instanceof RestartNeeded ? error.keys : [""];
    const message = error instanceof RestartNeeded ? "only a restart can change it" : reason;
    return { reason, problems: keys.map((key) => ({ origin: "", key, message })) };
  }
}

type CertificateTexts = Readonly<Record<keyof Listeners, TlsOptions | undefined>>;

/** Both listeners take theirs, or neither. */
function replaceCertificates({ registry, admin }: Listeners, texts: CertificateTexts): void {
  const undo = texts.registry && registry.replaceTls(texts.registry);
  try {
    if (texts.admin) admin?.replaceTls(texts.admin);
  } catch (error) {
    undo?.();
    throw error;
  }
}

/** The PEM texts of HTTPS. */
export async function readTls(
  tls: NonNullable<ReadConfig["config"]["server"]["tls"]>,
): Promise<TlsOptions> {
  const [certificate, privateKey, clientCa] = await Promise.all([
    Deno.readTextFile(tls.serverCertificateBundle),
    Deno.readTextFile(tls.serverPrivateKey),
    tls.clientCaBundle === undefined ? undefined : Deno.readTextFile(tls.clientCaBundle),
  ]);
  return {
    certificate,
    privateKey,
    ...(clientCa !== undefined && { clientCa, clientCertificate: tls.clientAuth }),
  };
}

/** The files that a configuration consists of, and those that it names. */
function watchedPaths({ config, sources }: ReadConfig): string[] {
  const certificates = [config.server.tls, config.admin?.tls].flatMap((tls) =>
    tls ? [tls.serverCertificateBundle, tls.serverPrivateKey, tls.clientCaBundle] : []
  );
  const plugins = [...config.auths, ...config.policies];
  const named = plugins.flatMap(({ permissions, options }) =>
    expandPermissions(permissions, options).read ?? []
  );
  return [...sources.paths, ...certificates.filter((path) => path !== undefined), ...named];
}
