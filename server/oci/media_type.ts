/** The manifests that sreg stores, by media type (image-spec media-types.md; Docker's image manifest v2, schema 2). */
export const MANIFEST_KINDS = {
  "application/vnd.oci.image.manifest.v1+json": "image",
  "application/vnd.oci.image.index.v1+json": "index",
  "application/vnd.oci.artifact.manifest.v1+json": "artifact",
  "application/vnd.docker.distribution.manifest.v2+json": "image",
  "application/vnd.docker.distribution.manifest.list.v2+json": "index",
} as const;

/** A media type of a manifest. */
export type ManifestMediaType = keyof typeof MANIFEST_KINDS;

/** An image manifest has a config and layers, an index has manifests, an artifact manifest has blobs. */
export type ManifestKind = (typeof MANIFEST_KINDS)[ManifestMediaType];

export const OCI_IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json" satisfies ManifestMediaType;
export const OCI_IMAGE_INDEX = "application/vnd.oci.image.index.v1+json" satisfies ManifestMediaType;
export const OCI_ARTIFACT_MANIFEST =
  "application/vnd.oci.artifact.manifest.v1+json" satisfies ManifestMediaType;

/** Layers that a registry need not hold, because licences forbid to distribute them. */
const NON_DISTRIBUTABLE =
  /^application\/vnd\.(oci\.image\.layer\.nondistributable\.v1\.|docker\.image\.rootfs\.foreign\.)/;

/** A media type without its parameters, in lower case. */
export function stripParameters(contentType: string): string {
  return contentType.split(";", 1)[0]!.trim().toLowerCase();
}

/** Whether manifests of this media type are stored. */
export function isManifestMediaType(mediaType: string): mediaType is ManifestMediaType {
  return Object.hasOwn(MANIFEST_KINDS, mediaType);
}

/** Whether a layer of this media type may be missing. */
export function isNonDistributable(mediaType: string): boolean {
  return NON_DISTRIBUTABLE.test(mediaType);
}
