/** The storage of buildah and podman: one of its own for each test, without help of the kernel. */

/** The flags by which buildah and podman keep all they have in `folder`. */
export function storageFlags(folder: string): string[] {
  return ["--root", `${folder}/root`, "--runroot", `${folder}/run`, "--storage-driver", "vfs"];
}
