/** Which repositories a pattern of the configuration covers. */
export interface RepositoryPattern {
  readonly text: string;
  covers(name: string): boolean;
}

/**
 * A pattern: a plain name covers itself and all below it; `*` stands for any characters of one component, `**` for any
 * number of components.
 */
export function parsePattern(text: string): RepositoryPattern {
  const parts = text.split("/");
  const isPlain = !text.includes("*");
  return {
    text,
    covers: isPlain
      ? (name) => name === text || name.startsWith(`${text}/`)
      : (name) => fitsParts(parts, name.split("/")),
  };
}

const PATTERN = /^[a-z0-9._*-]+(?:\/[a-z0-9._*-]+)*$/;

/** Whether a text can be a pattern: of the characters of repository names, and stars. */
export function isPattern(text: string): boolean {
  return text.length <= 253 && PATTERN.test(text);
}

/** The more particular of two patterns comes first: a longer text before its first `*`, then fewer stars. */
export function comparePatterns(a: string, b: string): number {
  return literalLength(b) - literalLength(a) || stars(a) - stars(b) || (a < b ? -1 : 1);
}

function literalLength(text: string): number {
  const star = text.indexOf("*");
  return star < 0 ? text.length : star;
}

function stars(text: string): number {
  return text.split("*").length;
}

/** As a table over both: a pattern of many stars costs no more than its length times the name's. */
function fitsParts(pattern: readonly string[], name: readonly string[]): boolean {
  let fits = name.map(() => false).concat(false);
  fits[name.length] = true;
  for (const part of pattern.toReversed()) {
    const next = fits;
    fits = next.map((_, index) =>
      part !== "**" && index < name.length && next[index + 1]! && fitsText(part, name[index]!)
    );
    if (part === "**") {
      for (let index = name.length; index >= 0; index--) {
        fits[index] = next[index]! || (fits[index + 1] ?? false);
      }
    }
  }
  return fits[0]!;
}

/** Whether a component fits a pattern with `*`: each piece is found as early as it can be. */
function fitsText(pattern: string, text: string): boolean {
  const [first, ...rest] = pattern.split("*") as [string, ...string[]];
  if (rest.length === 0) return pattern === text;
  const last = rest.pop()!;
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) {
    return false;
  }
  let at = first.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, at);
    if (found < 0 || found + piece.length > text.length - last.length) return false;
    at = found + piece.length;
  }
  return true;
}
