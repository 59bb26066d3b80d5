import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '#system/testing';
import { skipped } from '../components.ts';
import { launcher, type Ran, sallyport } from './sallyport.ts';

// Three people take over a root from one, two of whom sign each time, on two machines without a network; files are
// carried. Then a second ceremony is broken off, and both stand in the ledger.

const without = ['unshare', '--user', '--map-root-user', '--net'];
const namespaces = spawnSync(without[0] ?? '', [...without.slice(1), 'true']).status === 0;
const skip = namespaces ? false : skipped('unshare', 'no network namespace can be had to be offline in');

test(
  'a root ceremony on two machines without a network, with a witness; a second one is aborted',
  { skip },
  async (t) => {
    const folder = await temporaryFolder(t);
    const { SALLYPORT_HOME: _home, ...env } = process.env;
    const online = async (command: string, code = 0): Promise<Ran['json']> => {
      const ran = await sallyport(folder, [...command.split(' '), '--json']);
      assert.equal(ran.code, code, `${command}: ${ran.out}${ran.err}`);
      return ran.json;
    };
    /** The same in a namespace that has no network: a machine in a locked room. */
    const room = (command: string, code = 0): Ran['json'] => {
      const words = command.split(' ').map((word) => word.replaceAll('_', ' '));
      const ran = spawnSync(without[0] ?? '', [...without.slice(1), launcher, ...words, '--json'], {
        cwd: folder,
        env,
        encoding: 'utf8',
      });
      assert.equal(ran.status, code, `${command}: ${ran.stdout}${ran.stderr}`);
      return JSON.parse(ran.stdout) as Ran['json'];
    };
    await online('init --home out --site low');
    for (const name of ['Ada', 'Ben', 'Cat', 'Eve']) await online(`trust key new ${name}.key --holder ${name}`);
    const add = ['Ada', 'Ben', 'Cat'].map((name) => `--add ${name}.key.pub.json`).join(' ');
    const draft = await online(
      `trust propose --home out -o next ${add} --role root,sealer --role low=ledger --threshold root=2`,
    );
    const { fingerprint } = draft.root;

    const opened = await online('trust ceremony open next -o one --by Ada --witness Eve.key.pub.json');
    assert.equal(opened.network, 'forbidden');
    const said = (who: string, file: string) =>
      `trust ceremony confirm ${file} --who ${who} --fingerprint ${fingerprint}`;
    // The first machine. The holder of the first day signs there too, once.
    for (const who of ['low', 'Ada', 'Eve']) room(said(who, 'one'));
    room('trust ceremony note one --text seal_4711_was_whole --by Eve');
    await copyFile(join(folder, 'one'), join(folder, 'carried'));
    room('trust ceremony sign one --key out/keys/sealer.key --key Ada.key');
    assert.equal(room('trust ceremony close one --by Ada', 2).fault.code, 'trust.ceremony-step');
    // The second one has the copy from before Ada signed.
    room(said('Ben', 'carried'));
    const there = room('trust ceremony sign carried --key Ben.key');
    assert.deepEqual(there.signatures.own.signed, ['Ben']);
    const joined = room('trust ceremony join one carried');
    assert.deepEqual([joined.missing, joined.confirmed.length], [[], 4]);
    const closed = room('trust ceremony close one --by Ada');
    assert.equal(room('trust ceremony record one --home out', 1).reasons[0].code, 'trust.ceremony-unattested');
    room('trust ceremony attest one --key Ada.key --key Ben.key');
    const attested = room('trust ceremony attest one --key Eve.key');
    assert.deepEqual(attested.unattested, []);
    assert.equal(attested.transcript.sha256, closed.transcript.sha256);
    assert.equal(createHash('sha256').update(attested.transcript.text).digest('hex'), attested.transcript.sha256);
    const done = await online('trust ceremony record one --home out');
    assert.deepEqual([done.verdict, done.transcript.sha256], ['accepted', closed.transcript.sha256]);
    const shown = await online('trust show --home out');
    assert.deepEqual([shown.root.version, shown.root.fingerprint], [2, fingerprint]);

    // The root holds: two of three sign the next one.
    await online('trust revoke Cat --home out -o third --reason left');
    await online('trust ceremony open third -o two --by Ben');
    assert.equal(room('trust ceremony sign two --key Ben.key', 2).fault.code, 'trust.ceremony-step');
    room('trust ceremony abort two --reason a_stranger_came_in --by Ben');
    assert.equal(room('trust ceremony note two --text later --by Ben', 2).fault.code, 'trust.ceremony-step');
    room('trust ceremony attest two --key Ben.key');
    assert.equal((await online('trust ceremony record two --home out')).verdict, 'recorded');
    assert.equal((await online('trust show --home out')).root.version, 2);

    await online('ledger verify out/ledger');
    const listed = JSON.stringify(await online('ledger list --home out'));
    assert.match(listed, /sallyport\/root-rotated\/v1/);
    assert.match(listed, /sallyport\/ceremony-aborted\/v1/);
    // A changed byte of the file is a sentence that names the rule.
    const text = await readFile(join(folder, 'one'), 'utf8');
    await mkdir(join(folder, 'forged'));
    await writeFile(join(folder, 'forged', 'one'), text.replace('seal 4711 was whole', 'seal 4711 was broken'));
    const forged = await online('trust ceremony show forged/one', 3);
    assert.match(forged.fault.message, /CER-8/);
  },
);
