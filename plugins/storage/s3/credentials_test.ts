import { assert, assertEquals, assertRejects } from "../../../tests/support/assert.ts";
import { createCredentials } from "./credentials.ts";
import { parseProfile } from "./credentials_file.ts";
import type { Post } from "./web_identity.ts";

const noPost: Post = () => Promise.reject(new Error("nobody is asked"));

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-test-" });
  try {
    await act(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function file(key: string): string {
  return `[default]\naws_access_key_id = ${key}\naws_secret_access_key=secret\n`;
}

Deno.test("a credentials file has the keys of each profile under its name", () => {
  const text = "# c\r\n[ default ]\r\naws_access_key_id=a\r\n; c\n[other]\naws_access_key_id = b\n" +
    "aws_session_token = t=/+\nnested =\n  aws_access_key_id = x\n";
  assertEquals([...parseProfile(text, "default")!], [["aws_access_key_id", "a"]]);
  assertEquals([...parseProfile(text, "other")!].slice(0, 2), [
    ["aws_access_key_id", "b"],
    ["aws_session_token", "t=/+"],
  ]);
  assertEquals(parseProfile(text, "none"), undefined);
});

Deno.test("keys of a file are read again when the store refuses them", () =>
  inFolder(async (folder) => {
    const path = `${folder}/credentials`;
    await Deno.writeTextFile(path, file("one"));
    const source = createCredentials({ from: "file", path, profile: "default" }, noPost);
    const first = await source.get();
    assertEquals([first.accessKeyId, first.secretKey, first.sessionToken], ["one", "secret", undefined]);
    await Deno.writeTextFile(path, file("two"));
    assertEquals(await source.get(), first);
    assertEquals([source.renew(first), (await source.get()).accessKeyId], [true, "two"]);
    source.renew(first);
    await Deno.writeTextFile(path, file("three"));
    assertEquals((await source.get()).accessKeyId, "two", "Keys that others have renewed already are kept.");
  }));

Deno.test("a file without the profile's keys is refused by its path", () =>
  inFolder(async (folder) => {
    const path = `${folder}/credentials`;
    await Deno.writeTextFile(path, file("one"));
    const get = (profile: string, at = path) =>
      createCredentials({ from: "file", path: at, profile }, noPost).get();
    await assertRejects(get("other"), {
      code: "failed",
      message:
        `Cannot use credentials_file: ${path} has no aws_access_key_id and aws_secret_access_key under [other]`,
    });
    await assertRejects(
      get("default", `${path}x`),
      /^PluginError: Cannot use credentials_file: .*x cannot be read/,
    );
  }));

function lent(key: string, endsInMs: number): string {
  const end = new Date(Date.now() + endsInMs).toISOString();
  return `<AssumeRoleWithWebIdentityResponse><Credentials>
    <AccessKeyId>${key}</AccessKeyId><SecretAccessKey>s/+</SecretAccessKey><SessionToken>t=</SessionToken>
    <Expiration>${end}</Expiration></Credentials></AssumeRoleWithWebIdentityResponse>`;
}

Deno.test("keys are lent for the file's token, once for all who need them, and again before they end", () =>
  inFolder(async (folder) => {
    const tokenPath = `${folder}/token`;
    await Deno.writeTextFile(tokenPath, "the-token\n");
    const answers = [lent("one", 3_600_000), lent("two", 60_000), "<Error/>", lent("three", 3_600_000)];
    const forms: URLSearchParams[] = [];
    const post: Post = (_, form) => {
      const text = answers[forms.push(new URLSearchParams(form)) - 1]!;
      return Promise.resolve({ status: text === "<Error/>" ? 503 : 200, text });
    };
    const stsEndpoint = new URL("https://sts.example");
    const source = createCredentials({ from: "web-identity", roleArn: "role", tokenPath, stsEndpoint }, post);
    const keys = await Promise.all([source.get(), source.get(), source.get()]);
    assertEquals(keys.map(({ accessKeyId }) => accessKeyId), ["one", "one", "one"]);
    assertEquals([keys[0]!.secretKey, keys[0]!.sessionToken], ["s/+", "t="]);
    assertEquals(forms.map((form) => Object.fromEntries(form)), [{
      Action: "AssumeRoleWithWebIdentity",
      Version: "2011-06-15",
      RoleArn: "role",
      RoleSessionName: "sreg",
      WebIdentityToken: "the-token",
    }]);
    source.renew(keys[0]!);
    assertEquals((await source.get()).accessKeyId, "two");
    assertEquals(
      (await source.get()).accessKeyId,
      "two",
      "What still holds is used while others cannot be had.",
    );
    await new Promise((resolve) => setTimeout(resolve, 0));
    await source.get();
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals([(await source.get()).accessKeyId, forms.length], ["three", 4]);
  }));

Deno.test("a service that lends nothing is named without the token", () =>
  inFolder(async (folder) => {
    const tokenPath = `${folder}/token`;
    await Deno.writeTextFile(tokenPath, "the-token");
    const get = (status: number, text: string) => {
      const stsEndpoint = new URL("https://sts.example");
      const settings = { from: "web-identity", roleArn: "role", tokenPath, stsEndpoint } as const;
      return createCredentials(settings, () => Promise.resolve({ status, text })).get();
    };
    const state = "Cannot get credentials of sts_endpoint: ";
    await assertRejects(get(400, "<Error><Code>ExpiredToken</Code></Error>"), {
      code: "failed",
      message: `${state}it answered 400 ExpiredToken`,
    });
    await assertRejects(get(503, "the-token"), {
      name: "LostExchange",
      message: `${state}it answered 503 no code`,
    });
    await assertRejects(get(200, "the-token"), {
      name: "LostExchange",
      message: `${state}its answer holds no credentials`,
    });
    await Deno.remove(tokenPath);
    const missing = await get(200, "").catch((error: unknown) => (error as Error).message) as string;
    assert(missing.startsWith(`${state}web_identity_token_file ${tokenPath} cannot be read`), missing);
  }));
