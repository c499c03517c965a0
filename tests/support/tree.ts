/** Every file below a folder, with its size, in order: to see that nothing has changed. */
export async function treeOf(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...await treeOf(path));
    else found.push(`${path} ${(await Deno.stat(path)).size}`);
  }
  return found.sort();
}

/** Resident memory of a process now, in bytes (Linux). */
export async function residentBytes(pid: number): Promise<number> {
  const [, pages = "0"] = (await Deno.readTextFile(`/proc/${pid}/statm`)).split(" ");
  return Number(pages) * 4_096;
}
