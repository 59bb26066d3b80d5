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
  'proving.flips': {
    kind: 'usage',
    title: 'The number of changes cannot be read.',
    fix: 'Write an even number from 2 to 10000, for example --flips 500.',
  },
} as const satisfies Catalogue;

export const provingFault = faultsOf(provingCatalogue);
