import { type Catalogue, faultsOf } from '#kernel';

export const projectCatalogue = {
  'project.missing': {
    title: 'There is no sallyport.yaml here.',
    fix: "Write one with 'sallyport init', or name it with -f FILE.",
    kind: 'usage',
  },
  'project.unreadable': {
    title: 'sallyport.yaml could not be read as YAML.',
    fix: 'Correct the line that is named. Indent with spaces, and put text with special characters in quotes.',
    kind: 'usage',
  },
  'project.invalid': {
    title: 'sallyport.yaml says something that cannot be followed.',
    fix: 'Correct the line that is named; the page on sallyport.yaml in docs/spec lists every key.',
    kind: 'usage',
  },
  'lock.malformed': {
    title: 'sallyport.lock holds a line that is not as capture writes it.',
    fix: 'Take sallyport.lock from version control again, or remove the line that is named and run capture.',
  },
  'lock.conflict': {
    title: 'sallyport.lock holds the marks of a merge that was not finished.',
    fix: "Keep the lines of both sides and remove the marks (git merges it so with 'sallyport.lock merge=union' in .gitattributes), then run capture.",
  },
  'lock.duplicate': {
    title: 'sallyport.lock says two different things about one name.',
    fix: 'Find out which of the two lines is right, remove the other, and run capture.',
  },
  'lock.version': {
    title: 'sallyport.lock was written in a form that this version does not know.',
    fix: 'Use the version of Sallyport that wrote it, or a newer one.',
  },
} as const satisfies Catalogue;

export const projectFault = faultsOf(projectCatalogue);
