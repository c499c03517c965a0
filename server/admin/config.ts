import { jsonAnswer } from "../api/answer.ts";
import type { Call } from "../api/endpoint.ts";
import { readFields } from "./body.ts";
import {
  type AdminRoute,
  adminRoute,
  COUNT,
  FLAG,
  listSchema,
  objectSchema,
  TEXT,
  TEXTS,
  TIME,
} from "./route.ts";

/** Something that is wrong with a configuration. */
export interface ConfigFault {
  /** The file as the operator named it, or the flag; absent: it is about the whole. */
  readonly file?: string;
  /** Where in the file, both counted from 1. */
  readonly line?: number;
  readonly column?: number;
  /** The key's full path (`server.port`); empty for all of it. */
  readonly key: string;
  readonly message: string;
}

/** What the rows of the configuration are served from. */
export interface ConfigParts {
  readonly config: ConfigControl;
}

/** The configuration in force, and the files that it comes from. */
export interface ConfigControl {
  /** The one in force, without secrets. */
  show(): {
    readonly files: readonly string[];
    readonly loadedAtMs: number;
    readonly config: Readonly<Record<string, unknown>>;
  };
  /** Reads the files anew and says what is wrong; changes nothing. */
  check(): Promise<readonly ConfigFault[]>;
  /** Takes them over, all or nothing. Answers what kept it from that. */
  reload(): Promise<readonly ConfigFault[]>;
}

const FAULTS = listSchema(
  objectSchema({ file: TEXT, line: COUNT, column: COUNT, key: TEXT, message: TEXT }, {
    optional: ["file", "line", "column"],
  }),
);

/** The rows of the configuration. */
export function configRoutes(parts: ConfigParts): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/config", {
      action: "admin.get-config",
      summary: "The configuration in force, without secrets",
      answer: {
        status: 200,
        schema: objectSchema({ files: TEXTS, loaded_at: TIME, config: { type: "object" } }),
      },
      endpoint: () => Promise.resolve(show(parts)),
    }),
    adminRoute("POST", "/admin/v1/config/check", {
      action: "admin.get-config",
      summary: "Read the server's files anew and say what is wrong with them; changes nothing",
      answer: { status: 200, schema: objectSchema({ ok: FLAG, problems: FAULTS }) },
      endpoint: (_, call) => check(parts, call),
    }),
    adminRoute("POST", "/admin/v1/config/reload", {
      action: "admin.reload-config",
      summary: "Take the server's files over, all or nothing",
      answer: { status: 200, schema: objectSchema({ reloaded: FLAG, problems: FAULTS }) },
      endpoint: (_, call) => reload(parts, call),
    }),
  ];
}

function show({ config }: ConfigParts): Response {
  const { files, loadedAtMs, config: shown } = config.show();
  return jsonAnswer({ files, loaded_at: new Date(loadedAtMs).toISOString(), config: shown });
}

async function check({ config }: ConfigParts, call: Call): Promise<Response> {
  if (call.body) await readFields(call, []);
  const problems = await config.check();
  return jsonAnswer({ ok: problems.length === 0, problems });
}

async function reload({ config }: ConfigParts, call: Call): Promise<Response> {
  if (call.body) await readFields(call, []);
  const problems = await config.reload();
  return jsonAnswer({ reloaded: problems.length === 0, problems });
}
