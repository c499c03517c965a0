import { choice, duration, host, integer, type KindValue, later, path, size } from "./kinds.ts";
import {
  ACCESS,
  ADDRESS_RANGE,
  BINDINGS,
  CLIENT_TLS_FIELDS,
  GLOBAL,
  IDENTITIES,
  ORIGIN,
  REPOSITORIES,
  ROLES,
} from "./access.ts";
import { JOBS, SCHEDULE } from "./jobs.ts";
import { GRANT } from "./plugin_file.ts";
import { defaulted, list, named, optional, required, table } from "./tables.ts";

const TLS = table({
  server_certificate_bundle: required(
    path,
    "PEM file: the server's certificate, then the chain that leads to its CA.",
  ),
  server_private_key: required(path, "PEM file: the private key of that certificate, not encrypted."),
  ...CLIENT_TLS_FIELDS,
});

const SERVER = table({
  bind_address: defaulted(host, {
    to: "127.0.0.1",
    doc: 'Address to listen on; `"0.0.0.0"` or `"::"` is all.',
  }),
  port: defaulted(integer({ min: 0, max: 65_535 }), {
    to: 5000n,
    doc: "Port to listen on; 0 is any free one.",
  }),
  external_url: optional(
    ORIGIN,
    "The scheme and host that clients use, where that is not what they say in `Host`.",
  ),
  trusted_proxies: defaulted(list(ADDRESS_RANGE), {
    to: [],
    doc: "Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed: addresses and ranges.",
  }),
  tls: optional(TLS, "HTTPS instead of HTTP."),
});

const ADMIN = table({
  bind_address: defaulted(host, { to: "127.0.0.1", doc: "Address to listen on." }),
  port: defaulted(integer({ min: 0, max: 65_535 }), {
    to: 5001n,
    doc: "Port to listen on; 0 is any free one.",
  }),
  tls: optional(TLS, "HTTPS instead of HTTP; its keys are those of `[server.tls]`."),
});

const AUDIT = table({
  keep: defaulted(duration({ min: "1h" }), { to: "90d", doc: "How long events are kept." }),
  events_max: defaulted(integer({ min: 1_000, max: 100_000_000 }), {
    to: 1_000_000n,
    doc: "How many events are kept; the oldest go first.",
  }),
});

const UPLOADS = table({
  idle_timeout: defaulted(duration({ min: "1s" }), {
    to: "24h",
    doc: "An upload to which nothing was added for so long is removed.",
  }),
  open_max: defaulted(integer({ min: 1, max: 1_000_000 }), {
    to: 1000n,
    doc:
      "Uploads that may be under way in one repository. Each of several replicas counts its own, and over S3 only those whose bytes are kept by the upload: of more than 5 MiB, or of several chunks.",
  }),
  stall_timeout: defaulted(duration({ min: "100ms", max: "1h" }), {
    to: "60s",
    doc: "A request whose body brings nothing for so long is ended; what had arrived stays.",
  }),
});

const BLOBS = table({
  cache_size: defaulted(size(), {
    to: "128MB",
    doc:
      "How much of the blobs that are pulled again and again a server keeps in memory, where its store is shared; 0: none.",
  }),
});

const GARBAGE = table({
  grace: defaulted(duration({ min: "1s" }), {
    to: "1h",
    doc:
      "A blob that nothing needs stays for so long after it was pushed, and again after it was found unneeded.",
  }),
});

const LOG = table({
  level: defaulted(choice(["debug", "info", "warn", "error"]), {
    to: "info",
    doc: "The least severe of the lines that are logged.",
  }),
});

const PLUGIN = table({
  path: required(path, "Folder that holds its `plugin.toml`."),
  isolation: defaulted(choice(["process", "worker"]), {
    to: "process",
    doc: "Its sandbox: a process of its own, or a Web Worker (faster, and only for code that you trust).",
  }),
  permissions: defaulted(GRANT, {
    to: {},
    doc: "What it may touch. Less than it asks for: the server does not start.",
  }),
});

/** Every key of `sreg.toml`. */
export const SREG = table({
  server: defaulted(SERVER, { to: {}, doc: "Where the registry listens." }),
  storage: defaulted(named(later), {
    to: { fs: { root_dir: "./data" } },
    doc: "Where the registry keeps its data: exactly one table, named after its storage plugin.",
  }),
  lock_store: defaulted(named(later), {
    to: {},
    doc:
      "Where servers that share a store keep each other out, where it has no conditional writes: at most one table, named after its lock plugin.",
  }),
  cache_store: defaulted(named(later), {
    to: {},
    doc: "What saves questions to a shared store: at most one table, named after its cache plugin.",
  }),
  plugin: defaulted(named(PLUGIN), {
    to: {},
    doc: "Plugins of one's own, by the name that other tables use.",
  }),
  identity: defaulted(IDENTITIES, { to: {}, doc: "Identities with a password, by id." }),
  auth: defaulted(named(later), {
    to: {},
    doc: "Further ways to say who one is, each a table named after its auth plugin.",
  }),
  access: defaulted(ACCESS, { to: {}, doc: "How access is decided." }),
  role: defaulted(ROLES, { to: {}, doc: "Roles, by name." }),
  binding: defaulted(BINDINGS, { to: [], doc: "Who has which role." }),
  policy: defaulted(named(later), {
    to: {},
    doc: "Further policies, each a table named after its policy plugin.",
  }),
  global: defaulted(GLOBAL, { to: {}, doc: "What holds for all repositories." }),
  repository: defaulted(REPOSITORIES, { to: {}, doc: "What holds for some repositories, by name or glob." }),
  schedule: defaulted(SCHEDULE, { to: {}, doc: "When jobs run by themselves: cron patterns." }),
  jobs: defaulted(JOBS, { to: {}, doc: "How jobs run." }),
  uploads: defaulted(UPLOADS, { to: {}, doc: "Limits of pushes." }),
  blobs: defaulted(BLOBS, { to: {}, doc: "How blobs are served." }),
  garbage: defaulted(GARBAGE, { to: {}, doc: "What becomes of blobs that nothing needs." }),
  admin: optional(
    ADMIN,
    "A listener of the administration's own. With it `/admin/v1` is served there and nowhere else.",
  ),
  audit: defaulted(AUDIT, { to: {}, doc: "The audit log: who changed what." }),
  log: defaulted(LOG, { to: {}, doc: "The log: JSON lines on standard error." }),
});

/** What `sreg.toml` says, before the tables of plugins are read. */
export type SregTable = KindValue<typeof SREG>;

/** A plugin as `[plugin.<name>]` declares it. */
export type DeclaredPlugin = KindValue<typeof PLUGIN>;
