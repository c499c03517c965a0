/** What the files of docs/scale say, as far as tests hold them against each other. */

import { parse, parseAllDocuments } from "yaml";
import { type Config, loadConfig } from "../../server/config/mod.ts";
import { join } from "../support/paths.ts";
import { ROOT } from "../support/registry.ts";

/** Where the files are. */
export const SCALE: string = `${ROOT}docs/scale`;

/** A service of the compose file. */
export interface ComposeService {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, unknown>>;
  readonly deploy?: { readonly replicas: number };
  readonly stop_grace_period?: string;
}

/** The compose file. */
export interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** A container of a pod. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env?: readonly {
    readonly name: string;
    readonly valueFrom: { readonly secretKeyRef: { readonly name: string; readonly key: string } };
  }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly readinessProbe: Probe;
  readonly livenessProbe?: Probe;
  readonly startupProbe?: Probe;
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
}

/** How it is found out whether a container does. */
export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string };
  readonly tcpSocket?: { readonly port: string };
}

/** What a pod is. */
export interface PodSpec {
  readonly containers: readonly [Container];
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: { readonly runAsUser: number; readonly runAsGroup: number };
  readonly volumes?: readonly {
    readonly name: string;
    readonly configMap?: { readonly name: string };
    readonly secret?: { readonly secretName: string };
  }[];
}

/** An object of the manifest; which members it has its kind says. */
export interface KubernetesObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
  readonly spec: {
    readonly replicas: number;
    readonly selector: { readonly matchLabels: Labels } & Labels;
    readonly maxUnavailable: number;
    readonly strategy: {
      readonly rollingUpdate: { readonly maxSurge: number; readonly maxUnavailable: number };
    };
    readonly ports: readonly { readonly name: string; readonly port: number; readonly targetPort: string }[];
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
  };
}

type Labels = Readonly<Record<string, string>>;

/** The text of a file of docs/scale. */
export function readScaleFile(name: string): Promise<string> {
  return Deno.readTextFile(join(SCALE, name));
}

/** The compose file. */
export async function readCompose(): Promise<Compose> {
  return parse(await readScaleFile("compose.yaml"), { strict: true }) as Compose;
}

/** The objects of the manifest. */
export async function readKubernetes(): Promise<readonly KubernetesObject[]> {
  const documents = parseAllDocuments(await readScaleFile("kubernetes.yaml"), { strict: true });
  return Array.from(documents, (document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS() as KubernetesObject;
  });
}

/** The arguments of an instruction of the Containerfile that is an array. */
export function containerfileArray(text: string, instruction: "ENTRYPOINT" | "CMD"): readonly string[] {
  return JSON.parse(new RegExp(`^${instruction} (\\[.*\\])$`, "m").exec(text)![1]!);
}

/** The configuration of files with these texts, by the registry's own reader. */
export async function loadTexts(texts: Readonly<Record<string, string>>): Promise<Config> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-scale-" });
  try {
    for (const [name, text] of Object.entries(texts)) await Deno.writeTextFile(join(folder, name), text);
    return await loadConfig({ files: Object.keys(texts), cwd: folder });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
