// Both lie where it may write: a project's own folder. What is left to do is to notice.
import { appendFileSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const project = process.env.INIT_CWD ?? join(import.meta.dirname, '..', '..');
const lock = join(project, 'package-lock.json');
const text = readFileSync(lock, 'utf8');
writeFileSync(lock, text.replace('"version": "1.0.0"', '"version": "1.0.1"'));
const other = join(project, 'node_modules', 'plain-widgets');
appendFileSync(join(other, 'widgets.mjs'), 'widgets.push("planted");\n');
rmSync(join(other, 'colours.mjs'));
symlinkSync('/etc/passwd', join(other, 'colours.mjs'));
