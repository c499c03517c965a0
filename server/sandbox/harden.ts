/**
 * What a Web Worker's permissions leave open, closed from inside before a plugin's module is loaded: a worker without any
 * permission can still end or signal the host's process, read its standard input, write its standard output, start
 * workers, and compile code from text, which would escape the examination of its imports.
 *
 * @module
 */

/** What of `Deno` a plugin has: what asks the runtime's permissions before it does anything. */
const DENO_LEFT = new Set([
  ..."FsFile SeekMode HttpClient Permissions PermissionStatus build errors inspect permissions version".split(
    " ",
  ),
  ..."create createSync open openSync readFile readFileSync readTextFile readTextFileSync".split(" "),
  ..."writeFile writeFileSync writeTextFile writeTextFileSync copyFile copyFileSync".split(" "),
  ..."mkdir mkdirSync makeTempDir makeTempDirSync makeTempFile makeTempFileSync readDir readDirSync".split(
    " ",
  ),
  ..."readLink readLinkSync realPath realPathSync remove removeSync rename renameSync".split(" "),
  ..."stat statSync lstat lstatSync truncate truncateSync utime utimeSync chmod chmodSync watchFs".split(" "),
  ..."link linkSync symlink symlinkSync connect connectTls startTls resolveDns createHttpClient".split(" "),
  ..."env cwd hostname osRelease osUptime memoryUsage refTimer unrefTimer noColor".split(" "),
]);

/** What of the global scope a plugin has not. */
const GLOBALS_TAKEN = [
  "Worker",
  "BroadcastChannel",
  "caches",
  "localStorage",
  "sessionStorage",
  "prompt",
  "confirm",
  "alert",
  "eval",
];

/** What of Node's `process` a plugin has; packages get it, too, by import. */
const PROCESS_LEFT = new Set([
  ..."version versions release arch platform env argv execArgv title pid config features".split(" "),
  ..."nextTick hrtime uptime memoryUsage cpuUsage cwd emitWarning emit on once off".split(" "),
  ..."addListener removeListener removeAllListeners listeners listenerCount prependListener".split(" "),
  ..."constructor noDeprecation getMaxListeners setMaxListeners eventNames".split(" "),
]);

type Scope = Record<PropertyKey, unknown>;

/** Closes what is open in this worker. `env`: the environment variables that were granted. */
export function harden(env: Readonly<Record<string, string>>): void {
  const scope = globalThis as unknown as Scope;
  takeProcess(scope["process"] as Scope, env);
  for (const name of GLOBALS_TAKEN) take(scope, name);
  takeCompilers();
  const whole = scope["Deno"] as Scope;
  const left = Object.entries(whole).filter(([name]) => DENO_LEFT.has(name));
  define(scope, "Deno", Object.freeze(Object.fromEntries(left)));
}

function takeProcess(process: Scope, env: Readonly<Record<string, string>>): void {
  for (let owner: Scope = process; owner !== Object.prototype; owner = Object.getPrototypeOf(owner)) {
    const isEmitter = Object.hasOwn(owner, "setMaxListeners");
    if (isEmitter) break;
    for (const name of Object.getOwnPropertyNames(owner)) if (!PROCESS_LEFT.has(name)) take(owner, name);
  }
  // A listener for a signal would take the signal from the host.
  for (const name of ["on", "once", "addListener", "prependListener", "prependOnceListener"]) {
    define(process, name, () => process);
  }
  define(process, "env", { ...env });
}

/** `Function("…")` and its kin: code from text could import what no examination has seen. */
function takeCompilers(): void {
  const kinds = [function () {}, async function () {}, function* () {}, async function* () {}];
  for (const kind of kinds) {
    const prototype = Object.getPrototypeOf(kind);
    const refuse = refusal("Function");
    Object.defineProperty(refuse, "prototype", { value: prototype });
    define(prototype, "constructor", refuse);
    if (prototype === Function.prototype) define(globalThis as unknown as Scope, "Function", refuse);
  }
}

function take(owner: Scope, name: string): void {
  if (Object.getOwnPropertyDescriptor(owner, name)?.configurable) define(owner, name, refusal(name));
}

function refusal(name: string): () => never {
  return function () {
    throw new Error(`Cannot use ${name}: a plugin has no right to it`);
  };
}

function define(owner: object, name: PropertyKey, value: unknown): void {
  Object.defineProperty(owner, name, { value, configurable: false, writable: false, enumerable: false });
}
