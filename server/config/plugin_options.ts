import type { Place } from "./document.ts";
import {
  boolean,
  choice,
  duration,
  integer,
  json,
  type Kind,
  type KindValue,
  later,
  path,
  size,
  text,
} from "./kinds.ts";
import {
  defaulted,
  type Field,
  list,
  optional,
  required,
  table,
  type TableKind,
  verbatimTable,
} from "./tables.ts";

/** The types of a plugin's options. */
export const OPTION_TYPES = [
  "string",
  "path",
  "integer",
  "boolean",
  "duration",
  "size",
  "choice",
  "list",
  "value",
] as const;

/** How a `plugin.toml` declares an option. */
export const OPTION = table({
  type: required(choice(OPTION_TYPES), "What its value is; a duration becomes milliseconds, a size bytes."),
  description: required(text(), "What it means, in one sentence."),
  required: defaulted(boolean, { to: false, doc: "Whether it must be set." }),
  default: optional(later, "Its value when it is not set."),
  min: optional(integer(), "Smallest value of an integer."),
  max: optional(integer(), "Largest value of an integer."),
  values: optional(list(text()), "The words of a choice."),
});

/** An option as it was declared. */
export type Option = KindValue<typeof OPTION>;

/** The settings of a plugin, by the names that its `plugin.toml` gives them. */
export type OptionsKind = TableKind<Readonly<Record<string, unknown>>>;

/** What reads a plugin's table of `sreg.toml`; tells `at` of declarations that make no sense. */
export function optionsKind(options: ReadonlyMap<string, Option>, at: Place): OptionsKind {
  const fields = [...options].map(([name, option]) => [name, optionField(option, at.child(name))] as const);
  return verbatimTable(Object.fromEntries(fields));
}

function optionField(option: Option, at: Place): Field {
  const { default: fallback, description: doc } = option;
  refuseForeignKeys(option, at);
  const kind = optionKind(option);
  if (fallback === undefined) return option.required ? required(kind, doc) : optional(kind, doc);
  if (option.required) fallback.at.fail("a required option has no default", "key");
  kind.read(fallback.value, fallback.at);
  return defaulted(kind, { to: fallback.value, doc });
}

function refuseForeignKeys(option: Option, at: Place): void {
  const owners = { min: "integer", max: "integer", values: "choice" } as const;
  for (const key of ["min", "max", "values"] as const) {
    if (option[key] === undefined || option.type === owners[key]) continue;
    at.child(key).fail(
      `only an option of type "${owners[key]}" has it, this one is a "${option.type}"`,
      "key",
    );
  }
  if (option.type === "choice" && !option.values?.length) {
    at.child("values").fail("missing, expected a list of words");
  }
}

function optionKind({ type, min, max, values }: Option): Kind<unknown, string> {
  switch (type) {
    case "string":
      return text();
    case "path":
      return path;
    case "integer":
      return integer({ ...(min !== undefined && { min }), ...(max !== undefined && { max }) });
    case "boolean":
      return boolean;
    case "duration":
      return duration();
    case "size":
      return size();
    case "choice":
      return choice(values ?? []);
    case "list":
      return list(text());
    case "value":
      return json;
  }
}
