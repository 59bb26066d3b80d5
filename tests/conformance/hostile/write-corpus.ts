import { resolve } from 'node:path';
import { wholeCorpus, writeCorpus } from './corpus.ts';

// Writes the hostile corpus, to give it to other programs: ./sallyport :node tests/conformance/hostile/write-corpus.ts DIR

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('Name a folder that does not exist yet.');
  process.exitCode = 2;
} else {
  const written = await writeCorpus(resolve(folder));
  console.log(`${wholeCorpus.length} cases in ${written} forms: ${folder}/manifest.json`);
}
