import { assertEquals, assertThrows } from "../../tests/support/assert.ts";
import { checkGrant, expandPermissions, type PluginPermissions } from "./permissions.ts";

const EXPANSIONS: readonly (readonly [
  what: string,
  asked: PluginPermissions,
  options: Readonly<Record<string, unknown>>,
  expanded: PluginPermissions,
])[] = [
  ["nothing", {}, { root_dir: "/data" }, {}],
  ["a plain entry", { net: ["s3.example:443"] }, {}, { net: ["s3.example:443"] }],
  ["an option", { read: ["{root_dir}"] }, { root_dir: "/data" }, { read: ["/data"] }],
  ["a part of a path", { write: ["{root_dir}/cache"] }, { root_dir: "/data" }, { write: ["/data/cache"] }],
  ["a path with ..", { read: ["{root_dir}/../other"] }, { root_dir: "/data/a" }, { read: ["/data/other"] }],
  ["a relative path", { read: ["{root_dir}"] }, { root_dir: "data" }, { read: [`${Deno.cwd()}/data`] }],
  ["a host with a port", { net: ["{url.host}"] }, { url: "https://s3.example:9000/x" }, {
    net: ["s3.example:9000"],
  }],
  ["a host without one", { net: ["{url.host}"] }, { url: "https://s3.example" }, { net: ["s3.example:443"] }],
  ["a host of HTTP", { net: ["{url.host}"] }, { url: "http://s3.example" }, { net: ["s3.example:80"] }],
  ["a host of Redis", { net: ["{url.host}"] }, { url: "redis://:pass@redis/0" }, { net: ["redis:6379"] }],
  ["a host that is an address", { net: ["{url.host}"] }, { url: "redis://[::1]:6379" }, {
    net: ["[::1]:6379"],
  }],
  ["two options", { net: ["{host}:{port}"] }, { host: "ldap", port: 636 }, { net: ["ldap:636"] }],
  ["a list", { net: ["{hosts}:1"] }, { hosts: ["a", "b"] }, { net: ["a:1", "b:1"] }],
  ["an option that is not set", { read: ["{ca_file}"] }, {}, {}],
  ["a condition that holds", { env: ["{from=env}KEY"] }, { from: "env" }, { env: ["KEY"] }],
  ["a condition that does not", { env: ["{from=env}KEY"] }, { from: "file" }, {}],
  ["a condition on an option that is not set", { env: ["{from=env}KEY"] }, {}, {}],
  ["a condition beside other options", { net: ["{by=host}{bucket}.{url.host}"] }, {
    by: "host",
    bucket: "b",
    url: "https://s3.example",
  }, { net: ["b.s3.example:443"] }],
  ["an empty list", { net: ["{hosts}"] }, { hosts: [] }, {}],
  ["what objects inherit", { env: ["{constructor}"] }, {}, {}],
  ["a value that looks like a template", { env: ["{name}"] }, { name: "{secret}", secret: "s" }, {
    env: ["{secret}"],
  }],
];

for (const [what, asked, options, expanded] of EXPANSIONS) {
  Deno.test(`expandPermissions() expands ${what}`, () => {
    assertEquals(expandPermissions(asked, options), expanded);
  });
}

Deno.test("expandPermissions() refuses a host of what is no URL, other parts, and what would grant everything", () => {
  const refuse = (asked: PluginPermissions, value: string, message: string) =>
    assertThrows(() => expandPermissions(asked, { value }), { name: "TypeError", message });
  refuse({ net: ["{value.host}"] }, "s3.example", 'Cannot expand {value.host}: "s3.example" is no URL');
  refuse({ net: ["{value.host}"] }, "redis://:a/b@c", "Cannot expand {value.host}: it is no URL");
  refuse({ net: ["{value.host}"] }, "file:///etc", 'Cannot expand {value.host}: "file:///etc" is no URL');
  refuse(
    { net: ["{value.port}"] },
    "http://a",
    "Cannot expand {value.port}: only .host can be asked of an option",
  );
  refuse({ net: ["{value}"] }, "", 'Cannot grant net "": it is empty');
  refuse({ read: ["{value}"] }, "", 'Cannot grant read "": it is empty');
});

const GRANTS:
  readonly (readonly [asked: PluginPermissions, granted: PluginPermissions, missing: readonly string[]])[] = [
    [{}, {}, []],
    [{}, { net: ["a"] }, []],
    [{ net: ["ldap.corp:636"] }, {}, ['net "ldap.corp:636"']],
    [{ net: ["ldap.corp:636"] }, { net: ["ldap.corp:636"] }, []],
    [{ net: ["ldap.corp:636"] }, { net: ["ldap.corp"] }, []],
    [{ net: ["ldap.corp"] }, { net: ["ldap.corp:636"] }, ['net "ldap.corp"']],
    [{ net: ["ldap.corp.evil:636"] }, { net: ["ldap.corp"] }, ['net "ldap.corp.evil:636"']],
    [{ net: ["::1"] }, { net: [":"] }, ['net "::1"']],
    [{ read: ["/data/a"] }, { read: ["/data"] }, []],
    [{ read: ["/data"] }, { read: ["/data"] }, []],
    [{ read: ["/data"] }, { read: ["/"] }, []],
    [{ read: ["/data-other"] }, { read: ["/data"] }, ['read "/data-other"']],
    [{ read: ["/data/../etc"] }, { read: ["/data"] }, ['read "/data/../etc"']],
    [{ write: ["/data"] }, { read: ["/data"] }, ['write "/data"']],
    [{ env: ["AWS_REGION"] }, { env: ["AWS_*"] }, []],
    [{ env: ["AWS_*"] }, { env: ["AWS_REGION"] }, ['env "AWS_*"']],
    [{ env: ["HOME", "PATH"], sys: ["hostname"] }, { env: ["PATH"] }, ['env "HOME"', 'sys "hostname"']],
  ];

for (const [asked, granted, missing] of GRANTS) {
  const shown = `${JSON.stringify(asked)} with ${JSON.stringify(granted)}`;
  Deno.test(`checkGrant() of ${shown} misses ${missing.join(", ") || "nothing"}`, () => {
    assertEquals(checkGrant(asked, granted), missing);
  });
}
