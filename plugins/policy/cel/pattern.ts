/** Which repositories a policy is about. */
export interface RepositoryPattern {
  readonly text: string;
  /** How much of the text stands before its first `*`, in UTF-16 code units. */
  readonly literal: number;
  /** How many `*` there are. */
  readonly stars: number;
  /** Whether it is about the repository `name`. */
  covers(name: string): boolean;
}

/**
 * A pattern: a plain name covers itself and everything below it; `*` stands for any characters of one component, `**` for
 * any number of components.
 */
export function parsePattern(text: string): RepositoryPattern {
  const stars = text.split("*").length - 1;
  const literal = stars > 0 ? text.indexOf("*") : text.length;
  const expression = stars > 0 ? globParts(text.split("/")) : undefined;
  return {
    text,
    literal,
    stars,
    covers: (name) =>
      expression ? fits(expression, name.split("/")) : name === text || name.startsWith(`${text}/`),
  };
}

/** Orders patterns by how exactly they mean what they cover: nothing is more exact than a repository's own name. */
export function comparePatterns(a: RepositoryPattern, b: RepositoryPattern): number {
  return b.literal - a.literal || a.stars - b.stars || (a.text < b.text ? -1 : 1);
}

/** What fits one component; `undefined` for `**`. */
type Part = readonly string[] | undefined;

function globParts(components: readonly string[]): Part[] {
  return components.map((component) => component === "**" ? undefined : component.split("*"));
}

/** Every state at once, as the components come: a pattern of many stars costs no more than its length times the name's. */
function fits(parts: readonly Part[], components: readonly string[]): boolean {
  let states = skipRests(parts, new Set([0]));
  for (const component of components) {
    const next = [...states].flatMap((state) => {
      if (state === parts.length) return [];
      const part = parts[state];
      if (part === undefined) return [state];
      return fitsComponent(part, component) ? [state + 1] : [];
    });
    states = skipRests(parts, new Set(next));
  }
  return states.has(parts.length);
}

/** `**` may stand for no component at all. */
function skipRests(parts: readonly Part[], states: Set<number>): Set<number> {
  for (const state of states) {
    if (state < parts.length && parts[state] === undefined) states.add(state + 1);
  }
  return states;
}

/** Whether the pieces between the stars come one after the other; each is found as early as it can be. */
function fitsComponent(pieces: readonly string[], text: string): boolean {
  const first = pieces[0]!;
  const last = pieces.at(-1)!;
  if (pieces.length === 1) return text === first;
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) {
    return false;
  }
  const inner = text.slice(first.length, text.length - last.length);
  let at = 0;
  for (const piece of pieces.slice(1, -1)) {
    const found = inner.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return true;
}
