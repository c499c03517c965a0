/**
 * Which repositories a text of the configuration means: the same everywhere, in the core and in policies.
 *
 * @module
 */

/** Repositories, by a name or a glob. */
export interface RepositoryPattern {
  /** The pattern as it was written. */
  readonly text: string;
  /** Whether it means the repository of this name. */
  covers(repository: string): boolean;
}

/** What is wrong with a pattern, and where, in UTF-16 code units. */
export interface PatternProblem {
  /** Where it begins. */
  readonly offset: number;
  /** How long it is; 0 where something is missing. */
  readonly length: number;
  /** What is wrong. */
  readonly message: string;
}

const ANY = "**";

/**
 * A pattern. A plain name covers itself and all below it; in one with stars `*` stands for any characters within
 * one component, and `**`, as a component of its own, for any number of components, none included.
 */
export function parsePattern(text: string): RepositoryPattern {
  if (!text.includes("*")) {
    return { text, covers: (repository) => repository === text || repository.startsWith(`${text}/`) };
  }
  const components = text.split("/");
  const covers = (repository: string) =>
    fits(components, repository.split("/"), { star: ANY, fitsOne: fitsComponent });
  return { text, covers };
}

/**
 * Orders patterns by how exactly they mean what they cover: first those with more text before a star, then those with fewer
 * stars, then by the alphabet.
 */
export function comparePatterns(a: string, b: string): number {
  return literalLength(b) - literalLength(a) || countStars(a) - countStars(b) || (a < b ? -1 : 1);
}

function literalLength(text: string): number {
  const star = text.indexOf("*");
  return star < 0 ? text.length : star;
}

function countStars(text: string): number {
  return text.split("*").length - 1;
}

/** What is wrong with a pattern; `undefined`: nothing. */
export function findPatternProblem(text: string): PatternProblem | undefined {
  if (text === "") {
    return { offset: 0, length: 0, message: "expected a repository's name or a glob, found nothing" };
  }
  let offset = 0;
  for (const component of text.split("/")) {
    const problem = findComponentProblem(component);
    if (problem) return { ...problem, offset: offset + problem.offset };
    offset += component.length + 1;
  }
  return undefined;
}

function findComponentProblem(component: string): PatternProblem | undefined {
  if (component === "") return { offset: 0, length: 0, message: "a component between slashes is empty" };
  const stray = component.search(/[^a-z0-9._*-]/);
  if (stray >= 0) {
    const [character = ""] = component.slice(stray);
    const message = `no repository's name has ${JSON.stringify(character)} in it`;
    return { offset: stray, length: character.length, message };
  }
  const stars = component.indexOf(ANY);
  if (stars < 0 || component === ANY) return undefined;
  return { offset: stars, length: ANY.length, message: "** must stand alone between slashes" };
}

function fitsComponent(pattern: string, text: string): boolean {
  return fits(pattern, text, { star: "*", fitsOne: (a, b) => a === b });
}

/** A text, or a list of texts. */
type Sequence = string | readonly string[];

interface Fitting {
  /** The item of the pattern that stands for any number of items. */
  readonly star: string;
  readonly fitsOne: (pattern: string, item: string) => boolean;
}

/**
 * Whether a pattern fits all of `items`. Each piece between two stars is found as early as it can be, which is never
 * wrong, so that the cost is at most the product of both lengths.
 */
function fits(pattern: Sequence, items: Sequence, { star, fitsOne }: Fitting): boolean {
  let at = 0;
  let item = 0;
  let retryAt = -1;
  let retryItem = 0;
  while (item < items.length) {
    const wanted = pattern[at];
    if (wanted === star) {
      retryAt = ++at;
      retryItem = item;
    } else if (wanted !== undefined && fitsOne(wanted, items[item]!)) {
      at++;
      item++;
    } else {
      if (retryAt < 0) return false;
      at = retryAt;
      item = ++retryItem;
    }
  }
  while (pattern[at] === star) at++;
  return at === pattern.length;
}
