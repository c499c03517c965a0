import { jsonAnswer } from "../api/answer.ts";
import type { Call } from "../api/endpoint.ts";
import type { Registry } from "../registry/registry.ts";
import { type AdminRoute, adminRoute, FLAG, objectSchema, TEXT, TEXTS } from "./route.ts";

const ME = objectSchema({
  id: { type: ["string", "null"] },
  username: { type: ["string", "null"] },
  groups: TEXTS,
  by: TEXT,
  anonymous: FLAG,
});

/** The rows of whoever is asking. */
export function meRoutes(): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/me", {
      action: "own-identity",
      summary: "Who the registry takes the caller for",
      answer: { status: 200, schema: ME },
      endpoint: describe,
    }),
  ];
}

function describe(_: Registry, { caller }: Call): Promise<Response> {
  const { identity: { id, username, groups, certificate }, authentication } = caller;
  const anonymous = id === null && certificate === null;
  const by = authentication.by === "nothing" && !anonymous ? "certificate" : authentication.by;
  return Promise.resolve(jsonAnswer({ id, username, groups, by, anonymous }));
}
