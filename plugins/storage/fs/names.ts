/**
 * Names of files for the segments of keys, on a file system that takes `Latest` and `latest` for the same.
 *
 * There a segment with capitals becomes its small letters, `%`, and which of them were capitals, as a hexadecimal number
 * whose bit 0 is the first character: `Latest` → `latest%1`. No key holds a `%`, so no two segments meet.
 *
 * @module
 */

const CAPITALS = /[A-Z]/;

/** The name of a segment's file. */
export function foldName(segment: string): string {
  if (!CAPITALS.test(segment)) return segment;
  const bits = [...segment].reverse().map((character) => CAPITALS.test(character) ? "1" : "0").join("");
  return `${segment.toLowerCase()}%${BigInt(`0b${bits}`).toString(16)}`;
}

/** The segment whose file has this name; for a name that `foldName` does not give, some text that is no segment's. */
export function unfoldName(name: string): string {
  const [lower, mask, rest] = name.split("%");
  if (mask === undefined) return name;
  if (!lower || rest !== undefined || !/^[0-9a-f]+$/.test(mask)) return "";
  const bits = BigInt(`0x${mask}`);
  const segment = [...lower].map((character, index) =>
    bits >> BigInt(index) & 1n ? character.toUpperCase() : character
  )
    .join("");
  return foldName(segment) === name ? segment : "";
}
