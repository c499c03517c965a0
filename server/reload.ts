import { compareConfig, ConfigError, type ConfigSource, type ReadConfig, readConfig } from "./config/mod.ts";
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
  readonly server: Server;
  readonly listener: Listener;
  readonly log: Log;
  /** Told of each configuration that was taken over. */
  readonly onReplaced: (read: ReadConfig) => void;
}

/** Keeps a server in step with its files. */
export interface Reloader {
  /** Reads everything again now. What cannot be used changes nothing, and is told to the log. */
  reload(): Promise<void>;
  /** Ends the watch. */
  stop(): Promise<void>;
}

/** Watches the files of a configuration, and takes it over when they change: all or nothing. */
export function startReloader(options: ReloadOptions): Reloader {
  let running = options.read;
  let last: Promise<void> = Promise.resolve();
  const reload = () => last = last.then(() => replace());
  const replace = async () => {
    const { source, server, listener, log } = options;
    try {
      const next = await readConfig(source);
      const fixed = compareConfig(running.config, next.config);
      if (fixed.length > 0) return refuse(log, `only a restart can change ${fixed.join(", ")}`);
      const { tls } = next.config.server;
      const texts = tls && await readTls(tls);
      await server.replace(next, () => texts && listener.replaceTls(texts));
      running = next;
      options.onReplaced(next);
      log.info("Took over the configuration", { files: next.sources.paths });
    } catch (error) {
      refuse(log, (error as Error).message, error instanceof ConfigError ? error : undefined);
    }
  };
  const watch = watchFiles(() => watchedPaths(running), { sinceMs: options.readAtMs, onChange: reload });
  return { reload, stop: () => watch.stop() };
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
  const { tls } = config.server;
  const certificates = tls ? [tls.serverCertificateBundle, tls.serverPrivateKey, tls.clientCaBundle] : [];
  const plugins = [...config.auths, ...config.policies];
  const named = plugins.flatMap(({ permissions, options }) =>
    expandPermissions(permissions, options).read ?? []
  );
  return [...sources.paths, ...certificates.filter((path) => path !== undefined), ...named];
}

function refuse(log: Log, reason: string, error?: ConfigError): void {
  log.error("Cannot take over the configuration; the one before stays in force", {
    reason,
    ...(error && { problems: error.problems }),
  });
}
