import { type Catalogue, faultsOf } from '#kernel';

export const provingCatalogue = {
  'proving.failed': {
    title: 'The place where policies are probed could not be made, or ended by itself.',
    fix: "Run 'sallyport doctor'. If namespaces and nftables are well there, run the command again and keep its output.",
  },
  'proving.too-large': {
    kind: 'usage',
    title: 'The cluster is too large to be probed whole.',
    fix: 'Name with --file or --flows what has to be open and closed (docs/spec/assertions.md), or prove a part of the manifests: at most 250 pods and 100,000 probes are asked at once.',
  },
} as const satisfies Catalogue;

export const provingFault = faultsOf(provingCatalogue);
