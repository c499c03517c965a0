/** Folders for storage tests, some of them file systems of their own. */

import { hasProgram } from "../support/programs.ts";

/** A folder that is there until it is disposed of. */
export interface Folder extends AsyncDisposable {
  readonly path: string;
}

/** A folder that is a file system of its own. */
export interface Mounted extends Folder {
  /** Makes it read-only or writable again. */
  remount(access: "ro" | "rw"): Promise<void>;
}

/** An empty folder. */
export async function makeFolder(): Promise<Folder> {
  const path = await Deno.makeTempDir({ prefix: "sreg-storage-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Whether file systems can be mounted here: by root, where the machine lets it. */
export const CAN_MOUNT: boolean = Deno.uid() === 0 && hasProgram("mount") && await mounts();

/** Whether a file can be mounted as a disk here. */
export const CAN_MOUNT_DISKS: boolean = CAN_MOUNT && hasProgram("mkfs.ext4") && exists("/dev/loop-control");

/** A small file system in memory; `options` as for `mount -t tmpfs -o`. */
export async function mountTmpfs(options: string): Promise<Mounted> {
  const folder = await makeFolder();
  await run("mount", "-t", "tmpfs", "-o", options, "none", folder.path);
  return mounted(folder);
}

/**
 * A disk of 64 MiB that can really hold `bytes`: what is written beyond is lost, and fsync fails. Without a
 * journal, which would make it read-only at the first loss.
 */
export async function mountFailingDisk(bytes: number): Promise<Folder> {
  const behind = await mountTmpfs(`size=${bytes}`);
  const image = `${behind.path}/image`;
  await run("truncate", "-s", "64M", image);
  await run("mkfs.ext4", "-q", "-O", "^has_journal", image);
  const folder = await makeFolder();
  await run("mount", "-o", "loop", image, folder.path);
  const disk = mounted(folder);
  const dispose = async () => {
    await disk[Symbol.asyncDispose]();
    await behind[Symbol.asyncDispose]();
  };
  return { path: folder.path, [Symbol.asyncDispose]: dispose };
}

function mounted(folder: Folder): Mounted {
  const dispose = async () => {
    await run("umount", folder.path);
    await folder[Symbol.asyncDispose]();
  };
  return {
    path: folder.path,
    remount: (access) => run("mount", "-o", `remount,${access}`, folder.path),
    [Symbol.asyncDispose]: dispose,
  };
}

async function mounts(): Promise<boolean> {
  try {
    await using _folder = await mountTmpfs("size=64k");
    return true;
  } catch {
    return false;
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
  if (!success) {
    throw new Error(`Cannot run ${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
}
