/**
 * `sreg`: the server's command line.
 *
 * @module
 */

import { Command } from "@commander-js/extra-typings";
import { readOverrides, type ServeFlags } from "./admin_flags.ts";
import { type Config, type ReadConfig, readConfig, resolveConfigFiles } from "./config/mod.ts";
import { listen } from "./http/listen.ts";
import { createLog, type Log } from "./observe/log.ts";
import type { ServerHost } from "./operations.ts";
import { type Listeners, readTls, startReloader } from "./reload.ts";
import { scrubCommand } from "./scrub_command.ts";
import { createServer, type Server } from "./server.ts";

/** How long requests may go on after a signal to stop. */
const STOP_GRACE_MS = 25_000;

const DENO_LEAST = [2, 9, 6];

const program = new Command("sreg").description("An OCI container registry");

program.command("serve")
  .description("start the registry")
  .option(
    "-c, --config <path>",
    "configuration file, or folder of *.toml; may be repeated (default: sreg.toml, else config.toml, if there is one)",
    (path: string, paths: readonly string[] = []) => [...paths, path],
  )
  .option("--addr <host:port>", "address to listen on (default: 127.0.0.1:5000)")
  .option("--data-dir <dir>", "where to keep the data (default: ./data)")
  .option("--cert <file>", "certificate for HTTPS: a PEM file, with the chain")
  .option("--key <file>", "private key of the certificate: a PEM file")
  .option("--admin-name <name>", "user name of an administrator (or SREG_ADMIN_NAME)")
  .option("--admin-password-file <file>", "file with the administrator's password (or SREG_ADMIN_PASSWORD)")
  .option("--verbose", "log everything, each request too")
  .addHelpText("after", "\nExample:\n  $ sreg serve --addr 127.0.0.1:5000 --data-dir ./data\n")
  .action(({ config, ...overrides }) => serve(config, overrides));

program.command("scrub")
  .description("look through the whole store for damage, without a server; fails where some stays")
  .option(
    "-c, --config <path>",
    "configuration file, or folder of *.toml; may be repeated (default: sreg.toml, else config.toml, if there is one)",
    (path: string, paths: readonly string[] = []) => [...paths, path],
  )
  .option("--data-dir <dir>", "where the data are (default: ./data)")
  .option("--dry-run", "change nothing, whatever else is asked (what it does without --repair)")
  .option("--repair", "mend what can be derived, move the rest to quarantine")
  .option("--rehash", "read all bytes, and compare their digests")
  .option("--rate <size>", "read so much in a second at most: 50MB/s")
  .option("--json", "write each finding, then the report, as a line of JSON")
  .addHelpText("after", "\nExample:\n  $ sreg scrub -c sreg.toml --rehash --rate 50MB/s\n")
  .action(async ({ config, ...flags }) => Deno.exit(await scrubCommand(config, flags)));

try {
  checkRuntime();
  await program.parseAsync(Deno.args, { from: "user" });
} catch (error) {
  const { message } = error as Error;
  Deno.stderr.writeSync(new TextEncoder().encode(`sreg: ${message}\n`));
  Deno.exit(1);
}

async function serve(paths: readonly string[] | undefined, flags: ServeFlags): Promise<void> {
  // What the store holds, keys of tokens among it, is nobody else's on this machine.
  if (Deno.build.os !== "windows") Deno.umask(0o077);
  const readAtMs = Date.now();
  const source = {
    files: await resolveConfigFiles(Deno.cwd(), paths),
    overrides: await readOverrides(flags),
  };
  let read = await readConfig(source);
  const log = createLog(() => read.config.log.level);
  // The first listener for a signal comes before the first connection: the runtime cannot set it up when no descriptors are left.
  const signalled = untilSignal();
  const host: ServerHost = {
    urls: () => Object.values(listeners).map(({ url }) => url),
    check: () => reloader.check(),
    reload: () => reloader.reload(),
    lastError: () => reloader.lastError(),
  };
  const server = await createServer(read, log, { host });
  const listeners = await listenAll(read.config, server);
  const onReplaced = (next: ReadConfig) => void (read = next);
  const reloader = startReloader({ source, read, readAtMs, server, listeners, log, onReplaced });
  warnIfOpen(read.config, log);
  log.info("Listening", {
    registry: listeners.registry.url,
    admin: (listeners.admin ?? listeners.registry).url,
  });
  announce(listeners.registry.url);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGHUP", () => void reloader.reload());
  await signalled;
  log.info("Stopping: requests under way may end");
  await reloader.stop();
  await Promise.all(Object.values(listeners).map((listener) => listener.close(STOP_GRACE_MS)));
  await server.close();
  Deno.exit(0);
}

/** Listens for the registry, and for its administration, where that has an address of its own. */
async function listenAll({ server: place, admin }: Config, server: Server): Promise<Listeners> {
  const registry = listen(await listenOptions(place), server.fetch);
  if (!admin) return { registry };
  return { registry, admin: listen(await listenOptions(admin), server.fetchAdmin) };
}

type Place = Pick<Config["server"], "bindAddress" | "port" | "tls">;

async function listenOptions({ bindAddress: hostname, port, tls }: Place) {
  return { hostname, port, ...(tls && { tls: await readTls(tls) }) };
}

/** Whoever reaches an open registry may do everything, which is right on loopback only. */
function warnIfOpen({ server, admin, auths, policies }: Config, log: Log): void {
  if (auths.length > 0 || policies.length > 0) return;
  const places: readonly [place: Place | undefined, what: string][] = [
    [server, "push, pull and delete"],
    [admin, "administer the registry"],
  ];
  for (const [place, what] of places) {
    if (!place || place.tls?.clientCaBundle || /^(?:127\.|::1$|localhost$)/.test(place.bindAddress)) continue;
    log.warn(
      `Anybody who reaches this address may ${what}: --admin-name and --admin-password-file close it`,
      { address: `${place.bindAddress}:${place.port}` },
    );
  }
}

/** One line with the address; for a person also what to type next. */
function announce(url: string): void {
  const { host } = new URL(url);
  const next = `Push a first image:  skopeo copy ${
    url.startsWith("https") ? "" : "--dest-tls-verify=false "
  }docker://docker.io/library/alpine docker://${host}/alpine:latest\n`;
  const text = `sreg listens on ${url}\n${Deno.stdout.isTerminal() ? next : ""}`;
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

/** Waits for Ctrl-C or a polite kill; the second one ends the process at once. */
function untilSignal(): Promise<void> {
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  const { promise, resolve } = Promise.withResolvers<void>();
  let signalled = false;
  for (const signal of signals) {
    Deno.addSignalListener(signal, () => {
      if (signalled) Deno.exit(130);
      signalled = true;
      resolve();
    });
  }
  return promise;
}

function checkRuntime(): void {
  const version = Deno.version.deno.split(".").map(Number);
  const difference = DENO_LEAST.map((least, index) => version[index]! - least).find((part) => part !== 0) ??
    0;
  if (difference < 0) {
    throw new Error(`Deno ${DENO_LEAST.join(".")} or newer is needed; this is ${Deno.version.deno}`);
  }
}
