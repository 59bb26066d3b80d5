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
  'enclave.kept': {
    title: 'An enclave of this name is kept already.',
    fix: "Look into it with 'sallyport enclave list', or end it with 'sallyport enclave stop', and run the command again.",
  },
  'enclave.none': {
    title: 'No enclave is kept here.',
    fix: "Run 'sallyport rehearse --keep' in the project; 'sallyport enclave list' shows what is kept.",
  },
  'enclave.which': {
    title: 'More than one enclave is kept here.',
    fix: 'Name the one that you mean.',
    kind: 'usage',
  },
  'enclave.machine': {
    title: 'There is no such machine in the enclave.',
    fix: "'sallyport enclave list' shows its machines.",
    kind: 'usage',
  },
  'enclave.no-command': {
    title: 'There is no terminal for a shell.',
    fix: "Write the command behind '--', for example 'sallyport enclave shell -- curl http://web:8080/'.",
    kind: 'usage',
  },
  'enclave.exists': {
    title: 'There is a file of this name already.',
    fix: 'Name a new file, or remove that one.',
  },
  'enclave.refused': {
    title: 'The enclave could not do it.',
    fix: "Put right what it says, and try again; 'sallyport enclave list' shows what runs.",
  },
  'enclave.gone': {
    title: 'The enclave has ended meanwhile.',
    fix: "Run 'sallyport rehearse --keep' again.",
  },
  'enclave.hangs': {
    title: 'The process that keeps the enclave does not end.',
    fix: 'End it by its number with kill -9: nothing of the enclave outlives it.',
  },
} as const satisfies Catalogue;

export const enclaveFault = faultsOf(enclaveCatalogue);
