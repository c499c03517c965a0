/** What answers of a server must look like before they are believed. */

/** What a value is held to. */
export interface Shape<T> {
  /** What is wrong with `value`, which stands at `at`; nothing: it is a `T`. */
  problem(value: unknown, at: string): string | undefined;
  /** Never there: it carries the type. */
  readonly type?: T;
}

/** The type that a shape stands for. */
export type Shaped<S> = S extends Shape<infer T> ? T : never;

/** A text. */
export const text: Shape<string> = primitive("a text", (value) => typeof value === "string");

/** A number that is one. */
export const number: Shape<number> = primitive("a number", Number.isFinite);

/** `true` or `false`. */
export const flag: Shape<boolean> = primitive("true or false", (value) => typeof value === "boolean");

/** Whatever JSON can say. */
export const anything: Shape<unknown> = { problem: () => undefined };

/** Nothing, as JSON says it. */
export type Absent = null | undefined;

/** What may be left out. */
export function omittable<T>(shape: Shape<T>): Shape<T | undefined> {
  return { problem: (value, at) => value === undefined ? undefined : shape.problem(value, at) };
}

/** What may be missing, or `null`. */
export function optional<T>(shape: Shape<T>): Shape<T | Absent> {
  return {
    problem: (value, at) => value === undefined || value === null ? undefined : shape.problem(value, at),
  };
}

/** A list of such items. */
export function list<T>(item: Shape<T>): Shape<readonly T[]> {
  return {
    problem(value, at) {
      if (!Array.isArray(value)) return expected("a list", at);
      return firstProblem(value.entries(), (index, entry) => item.problem(entry, `${at}[${index}]`));
    },
  };
}

/** An object whose members have names of others' choice. */
export function dictionary<T>(item: Shape<T>): Shape<Readonly<Record<string, T>>> {
  return {
    problem(value, at) {
      if (!isObject(value)) return expected("an object", at);
      return firstProblem(Object.entries(value), (name, entry) => item.problem(entry, `${at}.${name}`));
    },
  };
}

/** An object with these members at least. */
export function object<Fields extends Readonly<Record<string, Shape<unknown>>>>(
  fields: Fields,
): Shape<{ readonly [Name in keyof Fields]: Shaped<Fields[Name]> }> {
  return {
    problem(value, at) {
      if (!isObject(value)) return expected("an object", at);
      return firstProblem(
        Object.entries(fields),
        (name, shape) =>
          shape.problem(
            Object.hasOwn(value, name) ? value[name] : undefined,
            at === "" ? name : `${at}.${name}`,
          ),
      );
    },
  };
}

/** A shape that is within itself, at most `depthMax` deep. */
export function nested<T>(make: (self: Shape<T>) => Shape<T>, depthMax: number): Shape<T> {
  let depth = 0;
  const self: Shape<T> = {
    problem(value, at) {
      if (depth === depthMax) return `${at}: it nests too deep`;
      depth++;
      try {
        return shape.problem(value, at);
      } finally {
        depth--;
      }
    },
  };
  const shape = make(self);
  return self;
}

function primitive<T>(what: string, fits: (value: unknown) => boolean): Shape<T> {
  return { problem: (value, at) => fits(value) ? undefined : expected(what, at) };
}

function expected(what: string, at: string): string {
  return `${at === "" ? "" : `${at}: `}expected ${what}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function firstProblem<K, V>(
  entries: Iterable<[K, V]>,
  problemOf: (key: K, value: V) => string | undefined,
): string | undefined {
  for (const [key, value] of entries) {
    const problem = problemOf(key, value);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
