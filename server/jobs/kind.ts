import type { JsonObject, JsonValue } from "../../plugins/contract/identity.ts";
import type { Task } from "../registry/task.ts";

/** What became of reading options: them, or what is wrong with them, for the one who gave them. */
export type ParsedOptions<Options> = { readonly options: Options } | { readonly problem: string };

/** A kind of jobs. */
export interface JobKind<Options = unknown> {
  /** Its name: `gc`. */
  readonly kind: string;
  /** Reads options; without any there are defaults. */
  parseOptions(json: JsonObject): ParsedOptions<Options>;
  /** Does the work, and answers its report: an object that JSON can hold, whose long lists may be cut. */
  run(options: Options, task: Task): Promise<object>;
}

/** Reads one option: `undefined` where it does not fit. */
export type OptionReader<T> = (value: JsonValue) => T | undefined;

type OptionsOf<Readers> = {
  readonly [Name in keyof Readers]?: Readers[Name] extends OptionReader<infer T> ? T : never;
};

/** A `parseOptions` for options that may all be left out; others than these are refused. */
export function optionsParser<const Readers extends Readonly<Record<string, OptionReader<unknown>>>>(
  readers: Readers,
): (json: JsonObject) => ParsedOptions<OptionsOf<Readers>> {
  return (json) => {
    const options: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(json)) {
      if (!Object.hasOwn(readers, name)) {
        return { problem: `unknown option ${JSON.stringify(name.slice(0, 100))}` };
      }
      options[name] = readers[name]!(value);
      if (options[name] === undefined) return { problem: `option ${name}: it does not fit` };
    }
    return { options: options as OptionsOf<Readers> };
  };
}

/** Reads `true` or `false`. */
export const flagOption: OptionReader<boolean> = (value) => typeof value === "boolean" ? value : undefined;

/** Reads a text that is not empty. */
export const textOption: OptionReader<string> = (value) =>
  typeof value === "string" && value !== "" ? value : undefined;
