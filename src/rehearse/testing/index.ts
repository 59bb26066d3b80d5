import { type Report, REPORT_VERSION, type ReportedAttempt, type Step } from '../report.ts';

export { type PageEvidence, renderPage } from '../page.ts';
export { type Report, type ReportedAttempt, reportShape, type Step } from '../report.ts';

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

export function sampleStep(over: Partial<Step> = {}): Step {
  return {
    id: 'npm-1',
    title: 'npm ci of web/package-lock.json',
    outcome: 'ok',
    side: 'enclave',
    start: 1500,
    milliseconds: 900,
    detail: '',
    ...over,
  };
}

export function sampleAttempt(over: Partial<ReportedAttempt> = {}): ReportedAttempt {
  return {
    time: '2026-11-22T06:00:01.250Z',
    from: 'web',
    kind: 'call',
    name: 'telemetry.example.test',
    address: '198.18.0.1',
    port: 443,
    protocol: 'tcp',
    serverName: 'telemetry.example.test',
    firstBytes: '1603',
    count: 3,
    deliberate: false,
    ...over,
  };
}

/** A report that holds something of everything; `over` replaces what a test is about. */
export function sampleReport(over: Partial<Report> = {}): Report {
  return {
    'sallyport-report': REPORT_VERSION,
    verdict: 'not-proved',
    reasons: [{ code: 'rehearse.step-failed', where: 'npm-1', detail: 'It ended with 1.' }],
    offline: 'no',
    project: 'shop',
    folder: '/srv/shop',
    started: '2026-11-22T06:00:00Z',
    milliseconds: 12_345,
    version: '0.1.0',
    steps: [
      sampleStep({ id: 'capture', title: 'Everything is captured', side: 'outside', start: 0, ledger: 1, bytes: 1200 }),
      sampleStep({
        id: 'admit',
        title: 'The inside admits the bundle',
        side: 'inside',
        start: 950,
        digest: digest('b'),
      }),
      sampleStep({
        outcome: 'failed',
        command: 'npm ci',
        digest: digest('a'),
        ledger: 7,
        detail: 'It ended with 1: no such file.',
      }),
      sampleStep({ id: 'request-1', title: 'GET / of web', outcome: 'not-tested', start: 2500, milliseconds: 0 }),
    ],
    bundle: { path: '/srv/b', size: 1234, index: digest('b'), sequence: 2 },
    artifacts: {
      locked: 2,
      served: 1,
      bytes: 10,
      foreign: [],
      files: [
        {
          artifact: 'npm express 5.3.0 (express-5.3.0.tgz)',
          ecosystem: 'npm',
          row: 'artifact',
          digest: digest('d'),
          size: 10,
          targets: 'any',
          served: true,
          answers: 2,
          bytes: 20,
          why: '',
        },
        {
          artifact: 'npm fsevents 2.0.0',
          ecosystem: 'npm',
          row: 'artifact',
          digest: digest('c'),
          size: 7,
          targets: 'mac',
          served: false,
          answers: 0,
          bytes: 0,
          why: 'other-target',
        },
      ],
    },
    enclave: {
      enforcer: 'Linux namespaces and nftables',
      kernel: 'Linux 6.1.0 x64',
      machines: 5,
      limits: [
        { what: 'Network', state: 'in-force', detail: 'every route ends in the sink' },
        { what: 'Memory', state: 'absent', detail: 'no cgroup may be made here' },
        { what: 'System calls', state: 'unknown', detail: 'the kernel does not say' },
      ],
      visible: ['/usr', '/srv/shop'],
    },
    attempts: [
      sampleAttempt(),
      {
        time: '2026-11-22T06:00:02.500Z',
        from: 'misdeed',
        kind: 'read',
        protocol: 'file',
        path: '/etc/keys/id_ed25519',
        process: { pid: 12, command: 'node postinstall.mjs' },
        package: 'calls-home@1.0.0',
        answer: 'decoy',
        stalledMs: 1500,
        deliberate: true,
        count: 1,
      },
    ],
    runtimeHosts: [
      {
        host: 'Shop: telemetry',
        protocol: 'tcp',
        verdict: 'silenced',
        by: ['web'],
        count: 0,
        setting: 'TELEMETRY=0',
        what: 'Shop: telemetry',
      },
      { host: 'licence.example.test', port: 443, protocol: 'tcp', verdict: 'needed', by: ['web', 'api'], count: 1 },
    ],
    refusals: [
      {
        what: 'a bundle in which one bit is flipped',
        bundle: '/srv/f',
        refused: true,
        codes: ['bundle.frame'],
        detail: 'It differs.',
        ledger: 3,
      },
    ],
    logs: [{ service: 'web', lines: 2, bytes: 40, text: 'listening on 8080\nwell', cut: false }],
    ledgers: [],
    proofs: [],
    check: ["tar -xf 'x'"],
    report: '/srv/shop/.sallyport/report.json',
    page: '/srv/shop/.sallyport/report.html',
    signature: '/srv/shop/.sallyport/report.dsse.json',
    ...over,
  };
}
