/** What is watched of a process. */
export interface ProcessWatch {
  /** Memory that may be resident, in bytes. */
  readonly memoryBytes: number;
  /** Processor time that it may burn while nothing is asked of it, in milliseconds. */
  readonly hungMs: number;
  /** Whether nothing is asked of it now. */
  readonly isIdle: () => boolean;
  /** Told when it takes more than it may. */
  readonly onExcess: (reason: string) => void;
}

const INTERVAL_MS = 200;
/** The unit of Linux's process times, whatever the machine (proc(5), "stat"). */
const TICK_MS = 10;
/** Part of a processor that a plugin may use while nothing is asked of it. */
const IDLE_SHARE = 0.1;

/**
 * Reads `/proc` when it is asked to, since the runtime itself may not without all permissions: prints the resident
 * memory in KiB, and the process's line of facts. Runs no program, and ends with the process or with its own input.
 */
const PROBE = `while read -r ask; do
  while read -r name value unit; do [ "$name" = VmRSS: ] && break; done < "/proc/$1/status" || exit
  read -r facts < "/proc/$1/stat" || exit
  echo "$value $facts"
done`;

/** Watches what a process takes, on Linux; answers how to stop. Elsewhere only its heap is bounded. */
export function watchProcess(pid: number, watch: ProcessWatch): () => void {
  if (Deno.build.os !== "linux") return () => {};
  const probe = new Deno.Command("/bin/sh", {
    args: ["-c", PROBE, "sh", `${pid}`],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
    clearEnv: true,
  }).spawn();
  const questions = probe.stdin.getWriter();
  const line = new TextEncoder().encode("?\n");
  const timer = setInterval(() => void questions.write(line).catch(() => {}), INTERVAL_MS);
  const stop = () => {
    clearInterval(timer);
    questions.abort().catch(() => {});
  };
  void judge(probe.stdout, watch).finally(stop);
  return stop;
}

async function judge(samples: ReadableStream<Uint8Array>, watch: ProcessWatch): Promise<void> {
  const { memoryBytes, hungMs, isIdle, onExcess } = watch;
  let before = { busyMs: 0, atMs: performance.now() };
  let burnedMs = 0;
  for await (const bytes of samples) {
    const { residentBytes, busyMs } = parseSample(new TextDecoder().decode(bytes));
    const now = { busyMs, atMs: performance.now() };
    const excessMs = now.busyMs - before.busyMs - IDLE_SHARE * (now.atMs - before.atMs);
    if (isIdle()) burnedMs = Math.max(0, burnedMs + excessMs);
    before = now;
    if (residentBytes > memoryBytes) return onExcess(`took more than ${memoryBytes >> 20} MiB of memory`);
    if (burnedMs > hungMs) return onExcess(`was busy for ${hungMs} ms though nothing was asked of it`);
  }
}

/** Fields 14 and 15 of the facts, counted behind the program's name, which may contain anything: user and system time. */
function parseSample(sample: string): { readonly residentBytes: number; readonly busyMs: number } {
  const fields = sample.slice(sample.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { residentBytes: Number.parseInt(sample) * 1024, busyMs: ticks * TICK_MS };
}
