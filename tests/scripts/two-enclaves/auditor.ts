import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { debianTools } from '#system';
import { used } from '../../components.ts';

const PAGE = new URL('../../../docs/operate/auditing.md', import.meta.url);
/** All that the page says is needed, and nothing else. */
const TOOLS = [
  ...['openssl', 'sha256sum', 'base64', 'cat', 'cut', 'grep', 'head', 'od', 'sed', 'sh', 'tail', 'tr', 'wc'],
  'cmp',
] as const;

/** Somebody who has the page, three files and the tools of any machine. */
export interface Auditor {
  /** Runs the lines of the page that are marked so, word for word, in a folder. */
  run(
    block: 'entry' | 'witness',
    folder: string,
  ): { readonly code: number; readonly out: string; readonly err: string };
}

export async function auditor(folder: string): Promise<Auditor> {
  const page = await readFile(PAGE, 'utf8');
  const [openssl] = Object.values(await debianTools(['openssl'], { env: process.env }));
  assert.ok(openssl !== undefined);
  used('openssl', execFileSync(openssl.path, ['version'], { encoding: 'utf8' }).split(' ')[1] ?? '');
  const bin = join(folder, 'auditors-tools');
  await mkdir(bin);
  for (const name of TOOLS) {
    const path =
      name === 'openssl' ? openssl.path : execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    await symlink(path, join(bin, name));
  }
  return {
    run(block, where) {
      const script = new RegExp(`\`\`\`sh ${block}\\n(.*?)\`\`\``, 's').exec(page)?.[1];
      assert.ok(script !== undefined, `the page has no block ${block}`);
      const ran = spawnSync(join(bin, 'sh'), ['-c', script], { cwd: where, env: { PATH: bin }, encoding: 'utf8' });
      return { code: ran.status ?? -1, out: ran.stdout, err: ran.stderr };
    },
  };
}
