/** Webhooks in front of a registry that runs. */

import { assertEquals, assertMatch } from "../support/assert.ts";
import { startRegistry } from "../support/registry.ts";
import { answers, type Deed, says, startOutside } from "./outside.ts";

const ADA = { Authorization: `Basic ${btoa("ada:secret-of-hers")}` };

/** Knows ada by her password, and nobody else. */
const whois: Deed = (response, question) => {
  const { username, password } = question.json;
  const isAda = username === "ada" && password === "secret-of-hers";
  const deed = isAda ? says({ identity: { id: "7", username: "ada" } }) : answers(401);
  return deed(response, question);
};

/** Lets ada do everything below `team/`. */
const decide: Deed = (response, question) => {
  const { namespace, identity } = question.json;
  const isHers = identity.id === "webhook:people:7" && (namespace === null || namespace.startsWith("team/"));
  return says({ decision: isHers ? "allow" : "deny", reason: "not hers" })(response, question);
};

Deno.test("a registry behind webhooks", async (t) => {
  await using people = await startOutside(whois);
  await using rules = await startOutside(decide);
  const config = [
    ...["[auth.webhook.people]", `url = "${people.url}"`, 'timeout = "2s"'],
    ...["[policy.webhook.rules]", `url = "${rules.url}"`, 'timeout = "2s"'],
    ...["[log]", 'level = "debug"'],
  ].join("\n");
  await using registry = await startRegistry({ config });
  const get = async (path: string, headers: Record<string, string> = ADA) => {
    const { status, body } = await fetch(`${registry.url}${path}`, { headers });
    await body?.cancel();
    return status;
  };

  await t.step("asks the anonymous who they are", async () => {
    assertEquals(await get("/v2/", {}), 401);
  });
  await t.step("knows whom the service knows, and lets them do what the other service allows", async () => {
    assertEquals([await get("/v2/"), await get("/v2/team/app/tags/list")], [200, 404]);
  });
  await t.step("refuses a wrong password", async () => {
    assertEquals(await get("/v2/", { Authorization: `Basic ${btoa("ada:wrong")}` }), 401);
  });
  await t.step("denies what the service denies", async () => {
    assertEquals(await get("/v2/other/app/manifests/v1"), 403);
  });
  await t.step("denies everything while the policy is slow, and warns", async () => {
    rules.does(() => {});
    assertEquals(await get("/v2/team/app/manifests/v1"), 403);
    assertMatch(registry.log(), /Cannot ask http:\/\/127\.0\.0\.1:\d+\/decide: no answer within 2000 ms/);
    rules.does(decide);
    assertEquals(await get("/v2/team/app/manifests/v1"), 404);
  });
  await t.step("answers 503 while nobody can be known", async () => {
    people.does(answers(500));
    assertEquals(await get("/v2/", { Authorization: `Basic ${btoa("eve:pass")}` }), 503);
    people.does(whois);
  });
  await t.step("logs no password", () => {
    assertEquals(registry.log().includes("secret-of-hers"), false);
    assertEquals(registry.log().includes(btoa("ada:secret-of-hers")), false);
  });
});
