/** What is known of a value before a rule runs: its CEL type, where that is certain. */
export interface Shape {
  /** The name of its CEL type; `dyn`: any. */
  readonly kind: string;
  /** What a list's elements, or a map's values, are. */
  readonly element?: Shape;
  /** A map with these fields and no others. */
  readonly fields?: Readonly<Record<string, Shape>>;
  /** Where a map with fields is found: `identity.certificate`. */
  readonly path?: string;
  /** The words that a string is one of. */
  readonly words?: Words;
}

/** The words that a string may be. */
export interface Words {
  /** What such a word is called: `action`. */
  readonly noun: string;
  readonly known: readonly string[];
  /** Words that begin so are good as well. */
  readonly prefix: string;
}

export const DYN: Shape = { kind: "dyn" };
export const BOOL: Shape = { kind: "bool" };
export const INT: Shape = { kind: "int" };
export const STRING: Shape = { kind: "string" };
export const TYPE: Shape = { kind: "type" };
export const TIMESTAMP: Shape = { kind: "google.protobuf.Timestamp" };
export const ANY_MAP: Shape = { kind: "map", element: DYN };

/** A list of values of one shape. */
export function listOf(element: Shape): Shape {
  return { kind: "list", element };
}

/** A map with these fields and no others. */
export function recordOf(path: string, fields: Readonly<Record<string, Shape>>): Shape {
  return { kind: "map", path, fields };
}

/** The type's name as messages say it. */
export function formatKind({ kind }: Shape): string {
  return kind.replace("google.protobuf.", "").replace("null_type", "null").toLowerCase();
}

/** The type's name with its article: `an int`. */
export function formatOneOf(shape: Shape): string {
  const kind = formatKind(shape);
  return `${/^[aeio]/.test(kind) ? "an" : "a"} ${kind}`;
}

/** What is known of a value of which no more than its type is known. */
export function shapeOf(kind: string): Shape {
  return kind === "list" || kind === "map" ? { kind, element: DYN } : { kind };
}

/** What is known of a value that is one of these. */
export function joinShapes(shapes: readonly Shape[]): Shape {
  const [first = DYN, ...rest] = shapes;
  if (rest.every((shape) => shape === first)) return first;
  return rest.every(({ kind }) => kind === first.kind) ? shapeOf(first.kind) : DYN;
}

/** Whether values of the two can be equal at all; numbers of all types can be. */
export function canBeEqual(a: Shape, b: Shape): boolean {
  const [one, other] = [a, b].map(({ kind }) => NUMBERS.includes(kind) ? "number" : kind);
  return one === other || [one, other].some((kind) => kind === "dyn" || kind === "null_type");
}

const NUMBERS = ["int", "uint", "double"];

/** Whether a list or a map can be asked for such an index. */
export function isNumber({ kind }: Shape): boolean {
  return NUMBERS.includes(kind);
}
