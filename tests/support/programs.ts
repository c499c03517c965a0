/** Programs that some tests drive: skopeo, buildah, docker-registry … */

/**
 * Whether `program` is on the PATH. With `SREG_TEST_REQUIRE=all` in the environment (as in CI) a missing one is an
 * error, so that no test can be skipped unseen. Use: `Deno.test({ name, ignore: !hasProgram("skopeo"), fn })`, with the
 * program's name in `name`.
 */
export function hasProgram(program: string): boolean {
  const found = (Deno.env.get("PATH") ?? "").split(":").some((folder) => isFile(`${folder}/${program}`));
  if (!found && Deno.env.get("SREG_TEST_REQUIRE") === "all") {
    throw new Error(`Cannot run the tests: ${program} is not installed, and SREG_TEST_REQUIRE=all`);
  }
  return found;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
