import { type Catalogue, faultsOf } from '#kernel';

export const ociCatalogue = {
  'oci.reference-malformed': {
    title: 'An image reference cannot be read.',
    fix: "Write 'oci: HOST/NAME:TAG' or 'oci: HOST/NAME@sha256:DIGEST' in sallyport.yaml; names are in lower case.",
    kind: 'usage',
  },
  'oci.input-malformed': {
    title: 'An input of kind oci in sallyport.yaml cannot be read.',
    fix: "Write 'oci: NAME[:TAG][@DIGEST]', and beside it, if wanted, 'from: FOLDER' with an OCI image layout of the project.",
    kind: 'usage',
  },
  'oci.insecure-registry': {
    title: 'A registry would be asked without encryption.',
    fix: "Use https. For a registry on this machine plain http is taken by itself; for another one write 'insecure: true' beside the input if you accept that anybody on the way can change what is not pinned by digest.",
  },
  'oci.registry-answer': {
    title: 'A registry did not give what was asked.',
    fix: 'Check the name, the tag and your right to pull it (docker login, or a credentials file); then capture again: what is already here is not fetched twice.',
  },
  'oci.access-denied': {
    title: 'A registry refused access.',
    fix: "Log in for this registry ('docker login HOST' or 'skopeo login HOST'), or check that the name is right: registries answer the same for what does not exist.",
  },
  'oci.rate-limited': {
    title: 'A registry limits how much may be pulled.',
    fix: 'Wait as long as it says, or log in for a higher limit; then capture again: what is already here is not fetched twice.',
  },
  'oci.digest-mismatch': {
    title: 'Content does not have the digest under which it was named.',
    fix: 'Do not use it. Capture again; if it stays, tell the owner of the registry or of the layout: the content was changed or damaged.',
  },
  'oci.size-mismatch': {
    title: 'Content does not have the size that its descriptor names.',
    fix: 'Do not use it. Build or push the image again with a tool that writes the right size.',
  },
  'oci.manifest-malformed': {
    title: 'A manifest cannot be read.',
    fix: 'Build or push the image again; a manifest is one JSON object as the OCI image specification defines it.',
  },
  'oci.manifest-ambiguous': {
    title: 'A manifest could be read as two different things (CVE-2021-41190).',
    fix: 'Do not use it: two tools would see two images. Build the image again so that the manifest has one media type and only the fields of that type.',
  },
  'oci.schema1': {
    title: 'The image is in the Docker schema 1 format, which no current client pulls.',
    fix: 'Push the image again with a current tool, which writes Docker schema 2 or OCI manifests.',
  },
  'oci.foreign-layer': {
    title: 'A layer of the image is kept elsewhere (a foreign or non-distributable layer).',
    fix: 'Push the image again with its layers in the registry (for Windows base images: allow-nondistributable-artifacts), then capture it.',
  },
  'oci.digest-unsupported': {
    title: 'A digest uses an algorithm that is not accepted.',
    fix: 'Use content named by sha256 or sha512.',
  },
  'oci.no-platform': {
    title: 'The image has nothing for any of the targets.',
    fix: 'Correct targets in sallyport.yaml, or choose an image that is built for them.',
  },
  'oci.too-deep': {
    title: 'An image index holds more levels or more manifests than are accepted.',
    fix: 'Name the image that is needed by its own digest.',
  },
  'oci.layout-malformed': {
    title: 'A folder is not an OCI image layout that can be read.',
    fix: "Write the layout again, for example with 'skopeo copy … oci:FOLDER:TAG'; it holds oci-layout, index.json and blobs/.",
  },
  'oci.layout-reference': {
    title: 'An OCI image layout does not say which of its manifests is meant.',
    fix: 'Name the image in the layout by the tag or the digest that sallyport.yaml asks for (annotation org.opencontainers.image.ref.name in index.json).',
  },
} as const satisfies Catalogue;

export const ociFault = faultsOf(ociCatalogue);
