import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { findProgram } from '#system';
import { temporaryFolder } from '#system/testing';
import { skipped, used } from '../components.ts';
import { sallyport } from './sallyport.ts';

// An auditor who has a shell, openssl and coreutils, and nothing of ours, is shown that something was recorded.

/** What the script says that it needs; PATH holds nothing else. */
const NEEDED = ['sh', 'openssl', 'cat', 'cut', 'grep', 'head', 'mktemp', 'mv', 'od', 'rm', 'sed', 'sha256sum', 'tail'];

test('an entry is proved with standard tools alone, and nothing that was changed is', async (t) => {
  const programs = new Map<string, string>();
  for (const name of [...NEEDED, 'tr', 'wc']) {
    const path = await findProgram(name, process.env);
    if (path === undefined) return t.skip(skipped('openssl and coreutils', `${name} is not on this machine`));
    programs.set(name, path);
  }
  const folder = await temporaryFolder(t);
  const bin = join(folder, 'bin');
  await mkdir(bin);
  for (const [name, path] of programs) await symlink(path, join(bin, name));
  const check = (kit: string, vkey: string): Promise<{ code: number; out: string }> =>
    new Promise((done) => {
      const options = { cwd: folder, env: { PATH: bin, TMPDIR: folder } };
      execFile(join(bin, 'sh'), [`${kit}/check.sh`, kit, vkey], options, (error, out, err) =>
        done({ code: error === null ? 0 : Number(error.code), out: out + err }),
      );
    });
  const version = await new Promise<string>((done) => {
    execFile(join(bin, 'openssl'), ['version'], (_, out) => done(out.split(' ')[1] ?? ''));
  });
  used('openssl', version);

  const run = async (command: string, code = 0) => {
    const ran = await sallyport(folder, [...command.split(' '), '--home', 'home', '--json']);
    assert.equal(ran.code, code, `${command}: ${ran.out}${ran.err}`);
    return ran.json;
  };
  await run('init --site low');
  for (let i = 1; i <= 4; i++) {
    await run(`medium record registered USB-${i}`);
    await rm(join(folder, 'kit'), { recursive: true, force: true });
    await run(`ledger prove ${i - 1} --kit kit`);
    const { code, out } = await check('kit', 'home/trust/ledger.vkey');
    assert.equal(code, 0, out);
    assert.match(out, new RegExp(`^PROVED: entry ${i - 1} is in the log low/[0-9a-f]{16} of size ${i + 1}\n`));
    if (i > 1) assert.match(out, new RegExp(`"serial":"USB-${i - 1}"`));
  }
  assert.equal((await run('ledger prove 1 --kit kit', 2)).fault.code, 'ledger.kit-there');
  assert.deepEqual((await readdir(join(folder, 'kit'))).sort(), ['check.sh', 'entry', 'proof', 'statement.json']);

  await rm(join(folder, 'kit'), { recursive: true });
  await run('ledger prove 1 --kit kit');
  let changed = 0;
  for (const file of ['entry', 'proof', 'statement.json']) {
    const bytes = await readFile(join(folder, 'kit', file));
    for (let at = 3; at < bytes.length; at += Math.ceil(bytes.length / 9)) {
      const forged = Buffer.from(bytes);
      forged[at]! ^= 1;
      await cp(join(folder, 'kit'), join(folder, 'forged'), { recursive: true });
      await writeFile(join(folder, 'forged', file), forged);
      const { code, out } = await check('forged', 'home/trust/ledger.vkey');
      assert.notEqual(code, 0, `${file} with another byte ${at}: ${out}`);
      changed += 1;
    }
  }
  assert.ok(changed >= 24);
  const vkey = await readFile(join(folder, 'home', 'trust', 'ledger.vkey'), 'utf8');
  await sallyport(folder, ['init', '--home', 'other', '--site', 'low', '--json']);
  const other = await readFile(join(folder, 'other', 'trust', 'ledger.vkey'), 'utf8');
  for (const [text, says] of [
    [other, /of another log/],
    [vkey.split('+')[0] + other.slice(other.indexOf('+')), /no signature is of this key/],
    [vkey.split('+').slice(0, 2).join('+') + other.slice(other.lastIndexOf('+', other.length - 46)), /./],
  ] as const) {
    await writeFile(join(folder, 'vkey'), text);
    const { code, out } = await check('kit', 'vkey');
    assert.equal(code, 1, out);
    assert.match(out, /^NOT PROVED/);
    assert.match(out, says);
  }
});
