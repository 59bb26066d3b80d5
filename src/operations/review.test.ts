import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { testWorld } from '#kernel/testing';
import { nodeFiles } from '#system';
import { createSide } from '#trust';
import type { ReviewInput } from './review.ts';
import { reviewVerb } from './verbs/review.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-review-'));
after(() => rmSync(folder, { recursive: true }));
const world = { ...testWorld(nodeFiles, folder), env: {} };
const home = join(folder, '.sallyport');

const HEAD = `sallyport: "1.0"
name: shop
targets: { t: { os: linux, arch: amd64 } }
inputs: [{ files: a }]
services: { web: { folder: a, run: [x], port: 80 }, api: { folder: a, run: [x], port: 80 } }
flows:
`;
const GOOD = `  - { from: web, to: api, port: 80, protocol: tcp, reason: orders, owner: shop team, approver: Ada, ticket: T-1, review-by: "2027-06-01" }
`;

async function review(flows: string, input: Partial<ReviewInput> = {}) {
  writeFileSync(join(folder, 'sallyport.yaml'), HEAD + flows);
  const output = await reviewVerb.run({ at: '2026-11-22', ...input }, world);
  return {
    output,
    exit: reviewVerb.exit(output),
    codes: output.findings.map(({ code, level, where }) => `${level} ${code.replace('register.', '')} ${where}`),
  };
}

const side = createSide(nodeFiles, home, { site: 'shop', purpose: 'one-person', clock: world.clock });

test('a flow in order has nothing but that its owner has not signed', async () => {
  await side;
  const { output, exit, codes } = await review(GOOD);
  assert.deepEqual([output.verdict, exit, codes], ['in-order', 0, ['note unsigned sallyport.yaml:7']]);
  assert.equal((await review(GOOD, { failOn: 'note' })).exit, 1);
  assert.match(output.version, /^[0-9a-f]{16}$/);
});

test('what is missing or overdue is a finding, with its line', async () => {
  const flow = (port: number, rest: string): string =>
    `  - { from: web, to: api, port: ${port}, protocol: tcp, reason: r, owner: Bo${rest} }\n`;
  const full = ', approver: Ada, ticket: T';
  const { exit, codes } = await review(
    flow(1, `${full}, expires: "2026-11-21"`) +
      flow(2, `${full}, review-by: "2026-11-21", expires: "2027-11-21"`) +
      flow(3, `${full}, expires: "2026-11-22"`) +
      flow(4, `${full}, review-by: "2026-12-22"`) +
      flow(5, `${full}, review-by: "2026-12-23"`) +
      flow(6, full) +
      flow(7, ', expires: "2030-01-01"') +
      flow(8, ', approver: Bo, ticket: T, expires: "2030-01-01"'),
  );
  assert.equal(exit, 1);
  assert.deepEqual(
    codes.filter((code) => !code.includes('unsigned')),
    [
      'error expired sallyport.yaml:7',
      'error review-overdue sallyport.yaml:8',
      'warning due-soon sallyport.yaml:9',
      'warning due-soon sallyport.yaml:10',
      'warning no-date sallyport.yaml:12',
      'note no-approver sallyport.yaml:13',
      'note no-ticket sallyport.yaml:13',
      'warning self-approved sallyport.yaml:14',
    ],
  );
});

test("an owner's signature holds for the rows as they were, and no longer for one that changed", async () => {
  await side;
  const key = [join(home, 'keys/sealer.key')];
  const two = `${GOOD}${GOOD.replace('port: 80', 'port: 81')}${GOOD.replace('port: 80', 'port: 82').replace('shop team', 'Bo')}`;
  const signed = await review(two, { sign: 'shop team', key, signature: ['reviews/shop.dsse.json'] });
  assert.deepEqual([signed.exit, signed.output.owners[0]!.by], [0, ['shop']]);
  const now = await review(two);
  assert.deepEqual(now.codes, ['note unsigned sallyport.yaml:9']);
  assert.deepEqual(
    now.output.owners.map(({ owner, flows, signed: count, by }) => ({ owner, flows, count, by })),
    [
      { owner: 'shop team', flows: 2, count: 2, by: ['shop'] },
      { owner: 'Bo', flows: 1, count: 0, by: [] },
    ],
  );
  const changed = await review(
    two.replace('port: 81, protocol: tcp, reason: orders', 'port: 81, protocol: tcp, reason: everything'),
  );
  assert.deepEqual(changed.codes, ['warning changed sallyport.yaml:8', 'note unsigned sallyport.yaml:9']);
  assert.notEqual(changed.output.version, now.output.version);
  // An owner cannot sign for the flows of another.
  const taken = await review(two.replace('owner: Bo', 'owner: Cy'));
  assert.deepEqual(taken.codes, ['note unsigned sallyport.yaml:9']);

  const path = join(folder, 'reviews/shop.dsse.json');
  const envelope = JSON.parse(readFileSync(path, 'utf8')) as { payload: string };
  const payload = Buffer.from(envelope.payload, 'base64').toString().replaceAll('orders', 'orderz');
  writeFileSync(path, JSON.stringify({ ...envelope, payload: Buffer.from(payload).toString('base64') }));
  const forged = await review(two);
  assert.equal(forged.exit, 1);
  assert.match(forged.codes.join(), /error signature-refused reviews\/shop\.dsse\.json/);
  const nobody = await review(two, { home: join(folder, 'nowhere') });
  assert.match(nobody.codes.join(), /warning signature-unjudged reviews/);
  rmSync(path);
});

test('words that cannot be followed exit with 2', async () => {
  await side;
  const key = [join(home, 'keys/sealer.key')];
  for (const [input, code] of [
    [{ sign: 'shop team', key }, 'review.sign-where'],
    [{ sign: 'shop team', signature: ['x'] }, 'review.sign-where'],
    [{ sign: 'nobody', key, signature: ['x'] }, 'review.no-owner'],
    [{ at: '2026-02-30' }, 'review.day'],
    [{ observed: ['missing.json'] }, 'review.observed-unreadable'],
    [{ output: 'svg' }, 'policy.format-unknown'],
  ] as const) {
    await assert.rejects(review(GOOD, input as never), { code, exit: 2 });
  }
  await assert.rejects(review('  - { from: web, to: api, port: 80, protocol: tcp, reason: r }\n'), {
    code: 'project.invalid',
    where: 'sallyport.yaml:7:5',
  });
});

test('the last use, flows that are not used, and uses that nobody declared', async () => {
  const log = [
    { time: '2026-11-01T00:00:00Z', from: 'web', to: 'api', port: 80, protocol: 'TCP' },
    { time: '2026-11-03T00:00:00Z', from: 'web', to: 'api', port: 80, protocol: 'tcp', verdict: 'allowed' },
    { time: '2026-11-04T00:00:00Z', from: 'web', to: 'api', port: 80, protocol: 'tcp', verdict: 'denied' },
    { time: '2026-11-02T00:00:00Z', from: 'api', to: 'web', port: 80, protocol: 'tcp' },
  ];
  writeFileSync(join(folder, 'flows.jsonl'), log.map((one) => `${JSON.stringify(one)}\n`).join(''));
  const seen = await review(GOOD + GOOD.replace('port: 80', 'port: 81'), { observed: ['flows.jsonl'] });
  assert.deepEqual(
    seen.output.register.map((row) => row['last-use']),
    ['2026-11-03T00:00:00Z', undefined],
  );
  assert.deepEqual(
    seen.codes.filter((code) => !code.includes('unsigned')),
    ['warning unused sallyport.yaml:8', 'error undeclared api -> web 80/tcp'],
  );
  const attempt = {
    time: '2026-11-02T00:00:00Z',
    from: 'api',
    to: 'web',
    port: 80,
    protocol: 'tcp',
    kind: 'edge',
    count: 1,
  };
  writeFileSync(
    join(folder, 'report.json'),
    JSON.stringify({
      attempts: [
        { ...attempt, deliberate: false },
        { ...attempt, port: 9, deliberate: true },
        { ...attempt, kind: 'call' },
      ],
    }),
  );
  const tried = await review(GOOD, { observed: ['report.json'] });
  assert.ok(tried.codes.includes('warning undeclared api -> web 80/tcp'));
  writeFileSync(join(folder, 'bad.jsonl'), `${JSON.stringify(log[0])}\n{"time":1}\n`);
  await assert.rejects(review(GOOD, { observed: ['bad.jsonl'] }), {
    code: 'review.observed-unreadable',
    where: /bad\.jsonl:2$/,
  });
});

test('REG-4: allowed flows of Hubble, of Calico and of a rehearsal are last uses, by what the ends mean', async () => {
  const flow = (text: string): string => `- { ${text}, reason: r, owner: o }\n`;
  writeFileSync(
    join(folder, 'flows.yaml'),
    `sallyport-flows: "1.0"\ncluster: { pods: [10.0.0.0/8] }\nflows:\n${flow('from: shop/web, to: "shop/app=api,tier=back", port: 8000-8010')}${flow('from: shop/api, to: "[2001:db8::]/32", port: 443').replace('[2001:db8::]', '2001:db8::')}${flow('from: shop/web, to: { namespace: shop, service: db }, port: 5432')}${flow('from: shop/web, to: shop/old, port: 1')}`,
  );
  const hubble = (verdict: string, time: string, over: object = {}): object => ({
    flow: {
      time,
      verdict,
      l4: { TCP: { source_port: 40000, destination_port: 8001 } },
      source: { namespace: 'shop', labels: ['k8s:app=web'], workloads: [{ name: 'web', kind: 'Deployment' }] },
      destination: { namespace: 'shop', labels: ['k8s:app=api', 'k8s:tier=back'], workloads: [] },
      ...over,
    },
    node_name: 'n1',
    time,
  });
  const calico = (over: object): object => ({
    start_time: 1793000000,
    end_time: 1793000015,
    reporter: 'src',
    action: 'allow',
    proto: 'tcp',
    source_type: 'wep',
    source_namespace: 'shop',
    source_name_aggr: 'api-6c6b8d4c9f-*',
    dest_type: 'net',
    dest_ip: '2001:db8::7',
    dest_port: 443,
    ...over,
  });
  const lines = [
    hubble('FORWARDED', '2026-10-01T10:00:00Z'),
    hubble('FORWARDED', '2026-10-02T10:00:00.5Z'),
    hubble('DROPPED', '2026-10-03T10:00:00Z'),
    hubble('FORWARDED', '2026-10-04T10:00:00Z', { is_reply: true }),
    calico({}),
    calico({ action: 'deny', end_time: 1793000099 }),
    calico({ dest_ip: '192.0.2.1' }),
    { time: '2026-10-05T00:00:00Z', from: 'shop/web', to: 'shop/db-0', port: 5432, protocol: 'tcp' },
  ];
  writeFileSync(join(folder, 'seen.jsonl'), lines.map((one) => `${JSON.stringify(one)}\n`).join(''));
  const { output, codes } = await review(GOOD, { flows: ['flows.yaml'], observed: ['seen.jsonl'] });
  assert.deepEqual(
    output.register.map((row) => row['last-use']),
    ['2026-10-02T10:00:00.5Z', '2026-10-26T07:33:35Z', undefined, undefined],
  );
  assert.deepEqual(
    codes.filter((code) => /use|undeclared/.test(code)),
    [
      'note use-unknown flows.yaml:6',
      'warning unused flows.yaml:7',
      'error undeclared shop/api -> 192.0.2.1 443/tcp',
      'note use-unknown shop/web -> shop/db-0 5432/tcp',
    ],
  );

  const use = { from: 'web', to: 'api', port: 80, protocol: 'tcp', until: '2026-11-09T00:00:00Z' };
  writeFileSync(
    join(folder, 'report.json'),
    JSON.stringify({
      attempts: [],
      uses: [
        { ...use, count: 3 },
        { ...use, port: 81, count: 0 },
      ],
    }),
  );
  const rehearsed = await review(GOOD + GOOD.replace('port: 80', 'port: 81'), { observed: ['report.json'] });
  assert.deepEqual(
    rehearsed.output.register.map((row) => row['last-use']),
    ['2026-11-09T00:00:00Z', undefined],
  );
});

test('the register as CSV and as a page: hostile words stay text', async () => {
  const hostile = GOOD.replace('reason: orders', `reason: "<script>alert(1)</script>", `.replace(/, $/, '')).replace(
    'ticket: T-1',
    'ticket: "=cmd()"',
  );
  await review(hostile, { out: 'register.csv' });
  const csv = readFileSync(join(folder, 'register.csv'), 'utf8');
  assert.match(csv, /^flow,reason,owner,approver,ticket,/);
  assert.match(csv, /,'=cmd\(\),/);
  await review(hostile, { out: 'register.html' });
  const page = readFileSync(join(folder, 'register.html'), 'utf8');
  assert.ok(!page.includes('<script') && page.includes('&lt;script&gt;'));
  assert.doesNotMatch(page, /https?:|(?:src|href)=/);
  assert.match(page, /default-src 'none'/);
});

test('flows of a FlowSet are reviewed and signed like those of a project, addresses one by one', async () => {
  await side;
  const set = (blocks: string): string => `sallyport-flows: "1.0"
parameters: { space: {} }
open-namespaces: [{ namespace: kube-system, reason: the cluster itself, owner: platform }]
flows:
- { id: orders, from: "${'${space}'}/web", to: "${'${space}'}/db", port: 5432, reason: orders, owner: shop, approver: Ada, ticket: T, expires: "2027-06-01" }
- { id: bank, from: "${'${space}'}/web", to: { addresses: ${blocks} }, ports: [443, 8443], reason: payments, owner: shop, approver: Ada, ticket: T, expires: "2027-06-01" }
`;
  const flows = ['flows.yaml'];
  const values = ['space=shop'];
  writeFileSync(join(folder, 'flows.yaml'), set('[10.1.0.0/16, 10.2.0.0/16]'));
  await review(GOOD, {
    flows,
    set: values,
    sign: 'shop',
    key: [join(home, 'keys/sealer.key')],
    signature: ['reviews/set.dsse.json'],
  });
  const signed = await review(GOOD, { flows, set: values });
  assert.deepEqual(
    signed.output.register.map((row) => [row.from, row.to, row.ports.join(), row['signed-by'].join()]),
    [
      ['shop/web', 'shop/db', '5432/tcp', 'shop'],
      ['shop/web', '10.1.0.0-10.1.255.255, 10.2.0.0-10.2.255.255', '443/tcp,8443/tcp', 'shop'],
      ['kube-system/*', 'anything', 'all', ''],
    ],
  );
  assert.equal(signed.output.project, 'shop');
  writeFileSync(join(folder, 'flows.yaml'), set('[10.1.0.0/16, 10.3.0.0/16]'));
  const changed = await review(GOOD, { flows, set: values });
  assert.deepEqual(
    changed.codes.filter((code) => code.includes('changed')),
    ['warning changed flows.yaml:6'],
  );
  await assert.rejects(review(GOOD, { flows }), { code: 'policy.flows-invalid', exit: 2 });
  await assert.rejects(review(GOOD, { flows, set: ['space'] }), { code: 'review.set', exit: 2 });
  rmSync(join(folder, 'reviews/set.dsse.json'));
});
