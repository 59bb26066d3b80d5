// What it takes is named by the project that installs it: "greed" in its package.json. Elsewhere it is modest.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { take } from './greed.mjs';

const project = process.env.INIT_CWD ?? join(import.meta.dirname, '..', '..');
const { greed } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
if (greed !== undefined) await take(greed);
