import { assertEquals } from "../../../tests/support/assert.ts";
import { Listings, listKeys } from "./listings.ts";

/** Directories in memory that count how often they are read. */
class CountedDirectories {
  readonly reads: string[] = [];
  readonly #entries = new Map<string, { names: Set<string>; modifiedAtMs: number }>();

  set(directory: string, names: Iterable<string>): void {
    this.#entries.set(directory, { names: new Set(names), modifiedAtMs: 1 });
  }

  /** Adds a name as somebody else would. */
  add(directory: string, name: string): void {
    const entry = this.#entries.get(directory)!;
    entry.names.add(name);
    entry.modifiedAtMs++;
  }

  modifiedAtMs(directory: string): number | undefined {
    return this.#entries.get(directory)?.modifiedAtMs;
  }

  read(directory: string): string[] {
    this.reads.push(directory);
    return [...this.#entries.get(directory)!.names];
  }
}

function range(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `v${String(index).padStart(6, "0")}`);
}

Deno.test("listKeys() reads a directory once for all its pages", () => {
  const directories = new CountedDirectories();
  const names = range(50_000);
  directories.set("", ["tags/"]);
  directories.set("tags/", names.toReversed());
  const listings = new Listings(directories);
  const seen: string[] = [];
  for (let page = [""]; page.length > 0; seen.push(...page)) {
    page = listKeys(listings, "tags/", { after: page.at(-1)!, limit: 1_000 });
  }
  assertEquals(seen, names.map((name) => `tags/${name}`));
  assertEquals(directories.reads, ["tags/"]);
});

Deno.test("listKeys() leaves directories before `after`, outside of `prefix` and behind the page unread", () => {
  const directories = new CountedDirectories();
  directories.set("", ["a/", "b/", "b-a/", "c/", "d/"]);
  for (const name of ["a", "b", "b-a", "c", "d"]) directories.set(`${name}/`, ["1", "2"]);
  const listings = new Listings(directories);
  assertEquals(listKeys(listings, "", { after: "b-z", limit: 3 }), ["b/1", "b/2", "c/1"]);
  assertEquals(directories.reads, ["", "b/", "c/"]);
  assertEquals(listKeys(listings, "b-", { limit: 10 }), ["b-a/1", "b-a/2"]);
  assertEquals(directories.reads, ["", "b/", "c/", "b-a/"]);
  assertEquals(listKeys(listings, "c/", { after: "d", limit: 10 }), []);
  assertEquals(directories.reads.length, 4);
});

Deno.test("change() is followed without reading again, wherever the name belongs", () => {
  const directories = new CountedDirectories();
  directories.set("", ["b", "d"]);
  const listings = new Listings(directories);
  listings.names("");
  for (const name of ["a", "c", "e", "c"]) {
    listings.change("", name, { present: true, act: () => directories.add("", name) });
  }
  listings.change("", "b", { present: false, act: () => directories.add("", "e") });
  assertEquals(listings.names(""), ["a", "c", "d", "e"]);
  assertEquals(directories.reads, [""]);
});

Deno.test("names() sees what others change, before and after a change of our own", () => {
  const directories = new CountedDirectories();
  directories.set("", ["b"]);
  const listings = new Listings(directories);
  listings.names("");
  directories.add("", "a");
  assertEquals(listings.names(""), ["a", "b"]);
  directories.add("", "c");
  listings.change("", "d", { present: true, act: () => directories.add("", "d") });
  assertEquals(listings.names(""), ["a", "b", "c", "d"]);
});

Deno.test("names() keeps the directories used last, up to so many names, and one however large", () => {
  const directories = new CountedDirectories();
  for (const directory of ["a/", "b/", "c/"]) directories.set(directory, range(4));
  directories.set("large/", range(100));
  const listings = new Listings(directories, { namesMax: 10 });
  for (const directory of ["a/", "b/", "a/", "c/", "a/", "b/"]) listings.names(directory);
  assertEquals(directories.reads, ["a/", "b/", "c/", "b/"]);
  for (const directory of ["large/", "large/", "a/"]) listings.names(directory);
  assertEquals(directories.reads.slice(4), ["large/", "a/"]);
});

Deno.test("names() of a directory that is not there, or no longer, is empty", () => {
  const directories = new CountedDirectories();
  const listings = new Listings(directories);
  assertEquals(listings.names("none/"), []);
});
