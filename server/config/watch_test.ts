import { assertEquals } from "../../tests/support/assert.ts";
import { join } from "../../tests/support/paths.ts";
import { ChangeDetector, type PathFacts, watchFiles } from "./watch.ts";

const OLD_MS = 1000;
const START_MS = 2000;

/** Facts by path; those of a path that changed long ago, or when it is said. */
function facts(prints: Readonly<Record<string, string | PathFacts>>): Map<string, PathFacts> {
  return new Map(
    Object.entries(prints).map((
      [path, print],
    ) => [path, typeof print === "string" ? { print, changedMs: OLD_MS } : print]),
  );
}

type Look = readonly [prints: Readonly<Record<string, string | PathFacts>>, answer: boolean];

const LOOKS: readonly (readonly [name: string, looks: readonly Look[]])[] = [
  ["nothing while nothing changes", [[{ a: "1" }, false], [{ a: "1" }, false], [{ a: "1" }, false]]],
  ["a change once it stays", [[{ a: "1" }, false], [{ a: "2" }, false], [{ a: "2" }, true], [
    { a: "2" },
    false,
  ]]],
  ["a change that goes on when it ends", [
    [{ a: "1" }, false],
    [{ a: "2" }, false],
    [{ a: "3" }, false],
    [{ a: "4" }, false],
    [{ a: "4" }, true],
  ]],
  ["several files that change one by one, once", [
    [{ a: "1", b: "1" }, false],
    [{ a: "2", b: "1" }, false],
    [{ a: "2", b: "2" }, false],
    [{ a: "2", b: "2" }, true],
    [{ a: "2", b: "2" }, false],
  ]],
  ["nothing where a change was taken back", [
    [{ a: "1" }, false],
    [{ a: "2" }, false],
    [{ a: "1" }, false],
    [{ a: "2" }, false],
    [{ a: "2" }, true],
  ]],
  ["what changed after it began to be read", [
    [{ a: { print: "1", changedMs: START_MS } }, false],
    [{ a: { print: "1", changedMs: START_MS } }, true],
    [{ a: { print: "1", changedMs: START_MS } }, false],
  ]],
  ["no path only because it is new to the list", [
    [{ a: "1" }, false],
    [{ a: "1", b: "1" }, false],
    [{
      a: "1",
      b: "1",
    }, false],
    [{ a: "1", b: "2" }, false],
    [{ a: "1", b: "2" }, true],
  ]],
  ["no path only because it left the list", [[{ a: "1", b: "1" }, false], [{ a: "1" }, false], [
    { a: "1" },
    false,
  ]]],
];

Deno.test("ChangeDetector tells", async (t) => {
  for (const [name, looks] of LOOKS) {
    await t.step(name, () => {
      const detector = new ChangeDetector(START_MS);
      assertEquals(
        looks.map(([prints]) => detector.observe(facts(prints), START_MS)),
        looks.map(([, answer]) => answer),
      );
    });
  }
});

/** A folder whose changes are waited for. */
class Watched implements AsyncDisposable {
  readonly folder: string;
  /** Called before each look, which is where a test can act between two of them. */
  onLook = () => {};
  #changes = 0;
  #watch: { stop(): Promise<void> } | undefined;

  constructor() {
    this.folder = Deno.makeTempDirSync({ prefix: "sreg-test-" });
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, text: string): void {
    Deno.writeTextFileSync(this.path(name), text);
  }

  /** Watches `names`, and answers when they were looked at for the first time. */
  async start(...names: string[]): Promise<void> {
    const looked = Promise.withResolvers<void>();
    let looks = 0;
    const list = () => {
      this.onLook();
      if (++looks === 2) looked.resolve();
      return names.map((name) => this.path(name));
    };
    const onChange = () => void this.#changes++;
    this.#watch = watchFiles(list, { intervalMs: 5, sinceMs: Date.now() + 1000, onChange });
    await looked.promise;
    assertEquals(this.#changes, 0);
  }

  /** Acts, waits for the change that follows, and then for as many looks as would tell of a second one. */
  async changed(act: () => void): Promise<void> {
    const before = this.#changes;
    act();
    for (let look = 0; look < 400 && this.#changes === before; look++) await this.looks(1);
    await this.looks(4);
    assertEquals(this.#changes, before + 1);
  }

  async looks(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const outer = this.onLook;
    this.onLook = () => {
      outer();
      if (--count === 0) resolve();
    };
    await promise;
    this.onLook = outer;
  }

  get changes(): number {
    return this.#changes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch?.stop();
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("watchFiles() tells of a file that", async (t) => {
  await using watched = new Watched();
  watched.write("a", "1");
  watched.write("z", "1");
  await watched.start("a");
  await t.step("is written", () => watched.changed(() => watched.write("a", "2")));
  await t.step("is replaced by another of its size", () =>
    watched.changed(() => {
      watched.write("new", "3");
      Deno.renameSync(watched.path("new"), watched.path("a"));
    }));
  await t.step(
    "gets another mode",
    () => watched.changed(() => Deno.chmodSync(watched.path("a"), 0o600)),
  );
  await t.step(
    "vanishes",
    () => watched.changed(() => Deno.renameSync(watched.path("a"), watched.path("b"))),
  );
  await t.step(
    "comes back",
    () => watched.changed(() => Deno.renameSync(watched.path("b"), watched.path("a"))),
  );
  await t.step("becomes a symbolic link", () =>
    watched.changed(() => {
      Deno.removeSync(watched.path("a"));
      Deno.symlinkSync("z", watched.path("a"));
    }));
  await t.step(
    "its link leads to and that is written",
    () => watched.changed(() => watched.write("z", "22")),
  );
});

Deno.test("watchFiles() tells of a link that is swapped above the file, as Kubernetes does", async () => {
  await using watched = new Watched();
  for (const version of ["..1", "..2"]) {
    Deno.mkdirSync(watched.path(version));
    watched.write(`${version}/tls.crt`, "same");
  }
  Deno.symlinkSync("..1", watched.path("..data"));
  Deno.symlinkSync("..data/tls.crt", watched.path("tls.crt"));
  await watched.start("tls.crt");
  await watched.changed(() => {
    Deno.symlinkSync("..2", watched.path("..data_tmp"));
    Deno.renameSync(watched.path("..data_tmp"), watched.path("..data"));
  });
});

Deno.test("watchFiles() tells of a folder", async (t) => {
  await using watched = new Watched();
  watched.write("a.toml", "");
  await watched.start(".");
  await t.step("that gains a file", () => watched.changed(() => watched.write("b.toml", "1")));
  await t.step("whose file is written", () => watched.changed(() => watched.write("a.toml", "1")));
  await t.step("that loses a file", () => watched.changed(() => Deno.removeSync(watched.path("b.toml"))));
  await t.step("only what the configuration would read of it", async () => {
    const before = watched.changes;
    watched.write("sreg.log", "1");
    watched.write(".hidden.toml", "1");
    await watched.looks(4);
    assertEquals(watched.changes, before);
  });
});

Deno.test("watchFiles() tells of a file that grows from look to look when it is whole", async () => {
  await using watched = new Watched();
  watched.write("a", "");
  await watched.start("a");
  let seen = "";
  await watched.changed(() => {
    watched.onLook = () => {
      const text = Deno.readTextFileSync(watched.path("a"));
      if (watched.changes === 0) seen = text;
      if (text.length < 8) watched.write("a", `${text}x`);
    };
  });
  assertEquals(seen, "xxxxxxxx");
});

Deno.test("watchFiles() calls again for what changes while it waits for onChange", async () => {
  await using watched = new Watched();
  watched.write("a", "1");
  const { promise, resolve } = Promise.withResolvers<void>();
  const read: string[] = [];
  const onChange = async () => {
    read.push(await Deno.readTextFile(watched.path("a")));
    if (read.length === 1) watched.write("a", "333");
    else resolve();
  };
  const watch = watchFiles(() => [watched.path("a")], { intervalMs: 5, sinceMs: 0, onChange });
  await promise;
  await watch.stop();
  assertEquals(read, ["1", "333"]);
});

Deno.test("watchFiles() ends", async (t) => {
  await using watched = new Watched();
  watched.write("a", "1");
  const onChange = () => {};
  const list = () => [watched.path("a")];
  await t.step("at stop(), at once and as often as it is called", async () => {
    const watch = watchFiles(list, { intervalMs: 600_000, onChange });
    await watch.stop();
    await watch.stop();
  });
  await t.step("with its signal", async () => {
    const controller = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    const { signal } = controller;
    const watch = watchFiles(() => (resolve(), list()), { intervalMs: 600_000, onChange, signal });
    await promise;
    controller.abort();
    await watch.stop();
  });
});
