/**
 * What a server asks of the file system, seen from outside, with the answers that it sends meanwhile.
 *
 * @module
 */

import { tryCommand } from "../support/command.ts";
import { dirname } from "../support/paths.ts";
import { hasProgram } from "../support/programs.ts";

/** A system call on files, or the beginning of an HTTP answer; from the line of the log it began to where it ended. */
export interface SystemCall {
  readonly verb: string;
  /** Paths from the data folder: of a rename both; of an answer its status line. */
  readonly paths: readonly string[];
  readonly begin: number;
  readonly end: number;
}

const CHANGES = "rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,openat,fsync,fdatasync";
const WRITES = "write,writev,pwrite64,sendto,sendmsg";
const LINE = /^(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)$/;
const PATH = /"([^"]*)"|\d+<([^>]*)>/g;

/** Whether the system calls of other programs can be seen here. */
export const CAN_TRACE: boolean = hasProgram("strace") &&
  (await tryCommand("strace", ["-D", "-f", "-o", "/dev/null", "true"])).success;

/** The command before another one that writes the system calls of that one to `log`. */
export function traceCommand(log: string): string[] {
  // -D: the server stays the process that was started, and gets its signals.
  return ["strace", "-D", "-f", "-y", "-s", "300", "-e", `trace=${CHANGES},${WRITES}`, "-o", log];
}

/** Reads the calls below `dataDir`, and the answers, in the order in which they began. Failed ones are left out. */
export function parseCalls(log: string, dataDir: string): SystemCall[] {
  const unfinished = new Map<string, { text: string; begin: number }>();
  const calls: SystemCall[] = [];
  log.split("\n").forEach((line, end) => {
    const [, thread = "", verb = "", rest = ""] = line.match(LINE) ?? [];
    if (rest.endsWith("<unfinished ...>")) {
      unfinished.set(thread, { text: rest, begin: end });
      return;
    }
    const begun = line.includes(" resumed>") ? unfinished.get(thread) : undefined;
    const call = describe(verb, `${begun?.text ?? ""}${rest}`, dataDir);
    if (call) calls.push({ ...call, begin: begun?.begin ?? end, end });
  });
  return calls.sort((a, b) => a.begin - b.begin);
}

function describe(
  verb: string,
  text: string,
  dataDir: string,
): Pick<SystemCall, "verb" | "paths"> | undefined {
  if (/ = -1 /.test(text)) return undefined;
  const answer = text.match(/"(HTTP\/1\.1 \d+ [^\\]*)/);
  if (answer) return { verb: "answer", paths: [answer[1]!] };
  if (verb === "openat" && !text.includes("O_CREAT")) return undefined;
  const paths = [...text.matchAll(PATH)].map(([, quoted, open]) => quoted ?? open!)
    .filter((path) => path === dataDir || path.startsWith(`${dataDir}/`))
    .map((path) => path.slice(dataDir.length + 1) || ".");
  if (paths.length === 0) return undefined;
  return verb === "openat" ? { verb: "create", paths: paths.slice(0, 1) } : { verb, paths };
}

/** What a power cut could undo although the answer that ends these calls has gone out. */
export function findVolatile(calls: readonly SystemCall[], answer: SystemCall): string[] {
  const before = calls.filter(({ begin }) => begin < answer.begin);
  return before.flatMap((
    call,
  ) => [...missingFileSync(call, before), ...missingFolderSync(call, before, answer)]);
}

/** The bytes of a file that gets its name must be durable before. */
function missingFileSync({ verb, paths, begin }: SystemCall, calls: readonly SystemCall[]): string[] {
  const [from] = paths;
  if (!verb.startsWith("rename")) return [];
  const written = Math.max(
    -1,
    ...calls.filter((call) => isWrite(call, from!) && call.begin < begin).map(({ end }) => end),
  );
  const isSynced = calls.some((call) =>
    ["fsync", "fdatasync"].includes(call.verb) && call.paths[0] === from && call.begin > written &&
    call.end < begin
  );
  return isSynced ? [] : [`${from} is renamed before its bytes are durable`];
}

/** A folder whose entries change must be made durable afterwards, unless it is itself removed. */
function missingFolderSync(
  { verb, paths, end }: SystemCall,
  calls: readonly SystemCall[],
  answer: SystemCall,
): string[] {
  const path = paths.at(-1)!;
  const isChange = /^(create|mkdir|rename|unlink|rmdir)/.test(verb);
  if (!isChange || isPassing(path)) return [];
  const folder = dirname(path);
  const isSettled = calls.some((call) =>
    call.paths[0] === folder && call.begin > end && call.end < answer.begin &&
    (call.verb === "fsync" || call.verb === "rmdir" || call.verb === "unlinkat")
  );
  return isSettled ? [] : [`${verb} ${path} is answered before ${folder} is durable`];
}

function isWrite({ verb, paths }: SystemCall, path: string): boolean {
  return /^p?write/.test(verb) && paths[0] === path;
}

/** What may be lost by a power cut: files aside, and uploads that have not ended. */
function isPassing(path: string): boolean {
  return /^(%temp|uploads)(\/|$)/.test(path);
}
