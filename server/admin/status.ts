import { jsonAnswer } from "../api/answer.ts";
import { type AdminRoute, adminRoute, COUNT, FLAG, objectSchema, TEXT, TEXTS, TIME } from "./route.ts";

/** How a server does. */
export interface ServerStatus {
  readonly version: string;
  readonly started_at: string;
  readonly uptime_s: number;
  /** The version of the runtime. */
  readonly deno: string;
  /** The URLs that it listens on. */
  readonly listen: readonly string[];
  readonly storage: { readonly plugin: string; readonly reachable: boolean };
  readonly repositories: number;
  /** The id of the job that runs, on whatever replica. */
  readonly running_job?: string;
  readonly config: {
    readonly files: readonly string[];
    readonly loaded_at: string;
    /** Why the files could not be taken over last; absent: they are in force. */
    readonly last_error?: string;
  };
}

/** What the row of the status is served from. */
export interface StatusParts {
  readonly status: () => Promise<ServerStatus>;
}

const STATUS = objectSchema({
  version: TEXT,
  started_at: TIME,
  uptime_s: COUNT,
  deno: TEXT,
  listen: TEXTS,
  storage: objectSchema({ plugin: TEXT, reachable: FLAG }),
  repositories: COUNT,
  running_job: TEXT,
  config: objectSchema({ files: TEXTS, loaded_at: TIME, last_error: TEXT }, { optional: ["last_error"] }),
}, { optional: ["running_job"] });

/** The row of the status. */
export function statusRoutes({ status }: StatusParts): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/status", {
      action: "admin.get-status",
      summary: "How the server does",
      answer: { status: 200, schema: STATUS },
      endpoint: async () => jsonAnswer(await status()),
    }),
  ];
}
