import { type Catalogue, faultsOf } from '#kernel';

export const filesCatalogue = {
  'files.input-malformed': {
    title: 'An input of kind files in sallyport.yaml cannot be read.',
    fix: "Write 'files: PATH' with a file or folder of the project, or 'files: { url: ADDRESS, sha256: 64 HEX DIGITS, name: NAME }'.",
    kind: 'usage',
  },
  'files.missing': {
    title: 'A file or folder that sallyport.yaml names is not there.',
    fix: 'Correct the path in sallyport.yaml (it is relative to that file), or put the file in its place.',
  },
  'files.not-a-file': {
    title: 'Only regular files and folders cross; this is a symbolic link, a device or a socket.',
    fix: 'Replace the link by a copy of what it points to, or name only the files that are needed.',
  },
  'files.name-refused': {
    title: 'The name of this file cannot be served safely.',
    fix: 'Rename the file: no control characters, no backslash, no empty, "." or ".." part, valid Unicode, at most 1024 bytes.',
  },
  'files.too-many': {
    title: 'A folder holds more files than one input may.',
    fix: 'Pack the folder into one archive, or name its parts as inputs of their own.',
  },
} as const satisfies Catalogue;

export const filesFault = faultsOf(filesCatalogue);
