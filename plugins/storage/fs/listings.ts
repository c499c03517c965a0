import type { ListPage } from "../../contract/storage.ts";
import { TIMES_ARE_COARSE_MS } from "./value_cache.ts";

/** What `Listings` asks of the file system. */
export interface Directories {
  /** When the directory's entries changed last, or `undefined` where there is no such directory. */
  modifiedAtMs(directory: string): number | undefined;
  /** The names of its files and, with a slash behind each, of its directories, in any order. */
  read(directory: string): string[];
}

interface Listing {
  readonly names: string[];
  modifiedAtMs: number;
  /** When the names were what the directory held: no later than they were read, or changed here. */
  trueAtMs: number;
}

const NAMES_MAX = 200_000;

/**
 * The sorted names in directories, remembered for as long as they are true. Changes that come through `change` are
 * followed at once; those of other processes are seen by the directory's time of modification. That is coarse: names
 * that were true only a moment after it are read again, lest a change in the same moment stay unseen.
 */
export class Listings {
  readonly #directories: Directories;
  readonly #namesMax: number;
  /** The one used last comes last. */
  readonly #listings = new Map<string, Listing>();
  #size = 0;

  constructor(directories: Directories, options: { readonly namesMax: number } = { namesMax: NAMES_MAX }) {
    this.#directories = directories;
    this.#namesMax = options.namesMax;
  }

  /** The names in a directory in byte order, where a directory's ends in a slash; none where it does not exist. */
  names(directory: string): readonly string[] {
    const listing = this.#current(directory) ?? this.#read(directory);
    if (!listing) return [];
    this.#remember(directory, listing);
    return listing.names;
  }

  /** Runs `act`, which makes (`present`) or removes `name` in the directory. */
  change(directory: string, name: string, options: { present: boolean; act: () => void }): void {
    const listing = this.#current(directory);
    const trueAtMs = Date.now();
    options.act();
    if (!listing || this.#listings.get(directory) !== listing) return;
    const index = lowerBound(listing.names, name);
    const listed = listing.names[index] === name;
    if (options.present && !listed) listing.names.splice(index, 0, name);
    if (!options.present && listed) listing.names.splice(index, 1);
    this.#size += Number(options.present) - Number(listed);
    listing.modifiedAtMs = this.#directories.modifiedAtMs(directory) ?? NaN;
    listing.trueAtMs = trueAtMs;
  }

  /** Forgets a directory. */
  forget(directory: string): void {
    const listing = this.#listings.get(directory);
    if (!listing) return;
    this.#size -= listing.names.length;
    this.#listings.delete(directory);
  }

  #current(directory: string): Listing | undefined {
    const listing = this.#listings.get(directory);
    const isCurrent = listing && listing.modifiedAtMs === this.#directories.modifiedAtMs(directory) &&
      listing.modifiedAtMs < listing.trueAtMs - TIMES_ARE_COARSE_MS;
    if (isCurrent) return listing;
    this.forget(directory);
    return undefined;
  }

  #read(directory: string): Listing | undefined {
    const trueAtMs = Date.now();
    const modifiedAtMs = this.#directories.modifiedAtMs(directory);
    if (modifiedAtMs === undefined) return undefined;
    return { names: this.#directories.read(directory).sort(byBytes), modifiedAtMs, trueAtMs };
  }

  #remember(directory: string, listing: Listing): void {
    this.forget(directory);
    this.#listings.set(directory, listing);
    this.#size += listing.names.length;
    for (const oldest of this.#listings.keys()) {
      if (this.#size <= this.#namesMax || oldest === directory) return;
      this.forget(oldest);
    }
  }
}

/** A page of the keys in `listings` that begin with `prefix`; whole directories before `after` are passed over unread. */
export function listKeys(listings: Listings, prefix: string, { after = "", limit }: ListPage): string[] {
  const keys: string[] = [];
  const top = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  if (after < prefix || after.startsWith(prefix)) walk(top);
  return keys;

  function walk(directory: string): void {
    const names = listings.names(directory);
    for (let index = firstIndex(names, directory); index < names.length && keys.length < limit; index++) {
      const key = directory + names[index];
      if (!key.startsWith(prefix)) return;
      if (key.endsWith("/")) walk(key);
      else keys.push(key);
    }
  }

  function firstIndex(names: readonly string[], directory: string): number {
    const partial = prefix.slice(directory.length);
    if (after < prefix || !after.startsWith(directory)) return lowerBound(names, partial);
    const rest = after.slice(directory.length);
    const index = lowerBound(names, rest);
    if (names[index] === rest && !rest.endsWith("/")) return index + 1;
    const before = names[index - 1];
    return before?.endsWith("/") && rest.startsWith(before) ? index - 1 : index;
  }
}

function lowerBound(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (names[middle]! < name) low = middle + 1;
    else high = middle;
  }
  return low;
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
