import { type Catalogue, faultsOf } from '#kernel';

export const enclaveCatalogue = {
  'enclave.failed': {
    title: 'The enclave could not be made, or ended by itself.',
    fix: "Run 'sallyport doctor'. If all of it is well there, run the command again and keep its output.",
  },
  'enclave.image': {
    title: 'An image cannot be unpacked.',
    fix: 'See that the image is built for Linux and holds ordinary layers (tar, gzip, zstd); capture it again if it is damaged.',
  },
} as const satisfies Catalogue;

export const enclaveFault = faultsOf(enclaveCatalogue);
