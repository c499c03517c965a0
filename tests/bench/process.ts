/**
 * What a process and its children cost, as Linux counts it.
 *
 * @module
 */

/** What a tree of processes has used. */
export interface Usage {
  readonly cpuSeconds: number;
  /** The sum of each process's own peak since `resetPeak`. */
  readonly rssPeakBytes: number;
}

const TICKS_PER_SECOND = 100;

/** Reads the usage of the process `pid` and of its children that still run. */
export function readUsage(pid: number): Usage {
  const tree = processTree(pid);
  return {
    cpuSeconds: sum(tree.map(cpuTicks)) / TICKS_PER_SECOND,
    rssPeakBytes: sum(tree.map((member) => statusKib(member, "VmHWM"))) * 1024,
  };
}

/** Makes the peak that `readUsage` answers begin anew from what is in memory now. */
export function resetPeak(pid: number): void {
  for (const member of processTree(pid)) Deno.writeTextFileSync(`/proc/${member}/clear_refs`, "5");
}

function processTree(pid: number): number[] {
  const tasks = [...Deno.readDirSync(`/proc/${pid}/task`)];
  const children = tasks.flatMap(({ name }) =>
    Deno.readTextFileSync(`/proc/${pid}/task/${name}/children`).split(" ").filter(Boolean).map(Number)
  );
  return [pid, ...children.flatMap(processTree)];
}

function cpuTicks(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const [userTicks, systemTicks] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13);
  return Number(userTicks) + Number(systemTicks);
}

function statusKib(pid: number, key: string): number {
  const found = Deno.readTextFileSync(`/proc/${pid}/status`).match(new RegExp(`^${key}:\\s*(\\d+)`, "m"));
  return Number(found?.[1] ?? 0);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
