import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '#system/testing';
import { type Ran, sallyport } from './sallyport.ts';

/**
 * Two homes, `out` of site low and `in` of site high, which pinned its root; Ada seals, Ben and Cat approve, by the
 * thresholds that are given (` --threshold approver=2`).
 */
export interface Story {
  readonly folder: string;
  // oxlint-disable-next-line no-explicit-any
  readonly run: (command: string, code?: number) => Promise<any>;
  deliver(name: string, text: string, home?: string): Promise<void>;
}

export async function story(t: { after(fn: () => Promise<void>): void }, thresholds = ''): Promise<Story> {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'files'));
  const target = '{ os: linux, arch: amd64, libc: { name: glibc, version: "2.36" } }';
  await writeFile(
    join(folder, 'sallyport.yaml'),
    `sallyport: "1.0"\nname: ledgers\nchannel: main\ntargets:\n  linux-amd64: ${target}\ninputs:\n  - files: files\n`,
  );
  const run = async (command: string, code = 0): Promise<Ran['json']> => {
    const ran = await sallyport(folder, [...command.split(' '), '--json']);
    assert.equal(ran.code, code, `${command}: ${ran.out}${ran.err}`);
    return ran.json;
  };
  const deliver = async (name: string, text: string, home = 'out'): Promise<void> => {
    await writeFile(join(folder, 'files', 'note.txt'), text);
    await run(`capture --home ${home}`);
    await run(`seal -o ${name} --home ${home} --key ada.key`);
  };
  await run('init --home out --site low');
  await run('init --home in --site high');
  for (const [name, holder] of [
    ['ada', 'Ada'],
    ['ben', 'Ben'],
    ['cat', 'Cat'],
    ['dan', 'Dan'],
  ] as const) {
    await run(`trust key new ${name}.key --holder ${holder}`);
  }
  const add = ['ada', 'ben', 'cat', 'dan'].map((name) => `--add ${name}.key.pub.json`).join(' ');
  const roles = '--role Ada=sealer --role Ben=approver --role Cat=approver --role Dan=root --role low=ledger';
  await run(`trust propose --home out -o two ${add} ${roles}${thresholds} --custody shared`);
  await run('trust sign two --key out/keys/sealer.key --key dan.key');
  await run('trust accept two --home out');
  const { path, fingerprint } = (await run('trust show --home out')).root;
  await run(`trust pin ${path} --fingerprint ${fingerprint} --home in`);
  return { folder, run, deliver };
}
