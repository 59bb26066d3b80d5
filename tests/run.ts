// The one test command: what CI runs and what a newcomer runs.
//
//   npm test                       everything
//   npm run test:fast              formatting, types, lint, unit tests, the repository's own rules: under a minute
//   npm test -- --only unit        one stage
//   npm test -- --only unit src/kernel   one stage, files whose path contains this
//
// It ends with the real components that were used, those that were not and why, and a closing line of counts. With
// CI=true a skipped test fails unless tests/skips.json lists it with a reason.
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toolsFolder } from '#system';
import type { Component } from './components.ts';
import type { Outcome } from './reporter.ts';

interface Stage {
  readonly name: string;
  readonly says: string;
  /** Seconds that it should take on two idle cores. Six times that and five minutes more, and it is stopped as hung. */
  readonly budget: number;
  readonly fast: boolean;
  readonly command: (filter: readonly string[]) => readonly string[] | undefined;
}

interface AllowedSkip {
  /** Of the test's file; `*` is any. */
  readonly file: string;
  /** A part of the reason that the test gives. */
  readonly says: string;
  /** Why that is no loss. */
  readonly reason: string;
}

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

/**
 * Where the tools are. npm leaves out the native part of a tool whose `engines` exclude the machine's own Node (18); then
 * the locked tools are installed once more, into the user's cache, by the pinned Node.
 */
function toolModules(): string {
  const isWhole = (modules: string): boolean =>
    ['@oxlint', '@oxfmt', '@oxc-parser'].every(
      (scope) => existsSync(join(modules, scope)) && readdirSync(join(modules, scope)).length > 0,
    );
  if (isWhole('node_modules')) return 'node_modules';
  const lock = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex').slice(0, 16);
  const folder = join(toolsFolder(process.env), `test-tools-${lock}`);
  const modules = join(folder, 'node_modules');
  if (isWhole(modules)) return modules;
  console.log(`npm left out native tools for Node ${process.versions.node}'s sake; installing them into ${folder}`);
  mkdirSync(folder, { recursive: true });
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) copyFileSync(file, join(folder, file));
  const npm = realpathSync(execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim());
  execFileSync(process.execPath, [npm, 'ci', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'inherit' });
  return modules;
}

/** A tool of the dependencies, by its package's own entry: npm 8 to 10 do not always link it. */
function tool(name: string, bin = name): string {
  modules ??= toolModules();
  const { bin: bins } = JSON.parse(readFileSync(`${modules}/${name}/package.json`, 'utf8')) as {
    bin: string | Record<string, string>;
  };
  return join(modules, name, typeof bins === 'string' ? bins : (bins[bin] ?? ''));
}
let modules: string | undefined;

const SOURCES = ['src', 'tests', 'packaging', 'bench', 'examples'].filter((folder) => existsSync(folder));

/** Tests that fail every I/O in turn, or start many processes: each in a process of its own, two at a time. */
const SLOW = [
  'src/admit/admit.test.ts',
  'src/admit/contents.test.ts',
  'src/admit/full-disk.test.ts',
  'src/admit/raw-medium.test.ts',
  'src/bundle/seal.test.ts',
  'src/capture/capture.test.ts',
  'src/capture/prepare.test.ts',
  'src/capture/process.test.ts',
  'src/enclave/answers.test.ts',
  'src/enclave/enclave.test.ts',
  'src/enclave/limits.test.ts',
  'src/enclave/io/exchange.test.ts',
  'src/enclave/recorder.test.ts',
  'src/enclave/without-routes.test.ts',
  'src/rehearse/supervised-service.test.ts',
  'src/formats/json-schema.test.ts',
  'src/gate/examine.test.ts',
  'src/gate/raw-medium.test.ts',
  'src/media/damage.test.ts',
  'src/media/medium-map.test.ts',
  'src/ledger/crash.test.ts',
  'src/ledger/verification.test.ts',
  'src/ledger/power-cut.test.ts',
  'src/ledger/recovery.test.ts',
  'src/policy/enforce/many-rulesets.test.ts',
  'src/policy/generate/round-trip.test.ts',
  'src/policy/case-families.test.ts',
  'src/policy/dialects.test.ts',
  'src/policy/packets.test.ts',
  'src/policy/many-clusters.test.ts',
  'src/policy/session.test.ts',
  'src/policy/specification-goldens.test.ts',
  'src/policy/rollout/many-changes.test.ts',
  'src/rehearse/recording.test.ts',
  'src/rehearse/rehearse.test.ts',
  'src/rehearse/second-pass.test.ts',
  'src/system/client-settings.test.ts',
  'src/trust/io/ceremonies.test.ts',
  'src/trust/io/crypto-profiles.test.ts',
  'src/trust/io/drafts.test.ts',
  'src/trust/io/key-files.test.ts',
];

function suite(
  patterns: readonly string[],
  isolation: 'none' | 'process',
  { without = [], lanes = 1 }: { without?: readonly string[]; lanes?: number } = {},
) {
  return (filter: readonly string[]): readonly string[] | undefined => {
    const files = globSync(patterns as string[])
      .filter((file) => !without.includes(file) && (filter.length === 0 || filter.some((part) => file.includes(part))))
      .sort();
    if (files.length === 0) return undefined;
    return [
      '--test',
      `--test-isolation=${isolation}`,
      `--test-concurrency=${lanes}`,
      '--test-reporter=./tests/reporter.ts',
      '--test-reporter-destination=stdout',
      ...files,
    ];
  };
}

const STAGES: readonly Stage[] = [
  {
    name: 'format',
    says: 'every file is formatted',
    budget: 5,
    fast: true,
    command: () => [tool('oxfmt'), '--check', ...SOURCES],
  },
  {
    name: 'types',
    says: 'the whole repository type-checks',
    budget: 20,
    fast: true,
    command: () => [tool('typescript', 'tsc'), '-p', '.'],
  },
  {
    name: 'lint',
    says: 'no lint finding',
    budget: 5,
    fast: true,
    command: () => [tool('oxlint'), '--deny-warnings', ...SOURCES],
  },
  {
    name: 'unused',
    says: 'no unused file, export or dependency',
    budget: 20,
    fast: true,
    command: () => [tool('knip'), '--no-progress'],
  },
  {
    name: 'unit',
    says: 'unit and property tests, in one process',
    budget: 60,
    fast: true,
    command: suite(['src/**/*.test.ts'], 'none', { without: SLOW }),
  },
  {
    name: 'tidy',
    says: 'the rules of the repository',
    budget: 10,
    fast: true,
    command: suite(['tests/tidy/**/*.test.ts'], 'none'),
  },
  {
    name: 'faults',
    says: 'a disk, a process or a power supply that fails at every point in turn',
    budget: 360,
    fast: false,
    command: suite(SLOW, 'process', { lanes: 2 }),
  },
  {
    name: 'scripts',
    says: "operators' stories, by the real command",
    budget: 360,
    fast: false,
    command: suite(['tests/scripts/**/*.test.ts'], 'process', { lanes: 2 }),
  },
  {
    name: 'packed',
    says: 'the packed tree, and the first start on an old Node',
    budget: 300,
    fast: false,
    command: suite(['tests/packed/**/*.test.ts'], 'process'),
  },
  {
    name: 'conformance',
    says: 'real clients against us, one after the other',
    budget: 1200,
    fast: false,
    command: suite(['tests/conformance/**/*.test.ts'], 'process'),
  },
];

const words = process.argv.slice(2);
const fast = words.includes('--fast');
const only = words.includes('--only') ? words[words.indexOf('--only') + 1] : undefined;
const filter = words.filter((word) => !word.startsWith('--') && word !== only);
const stages = STAGES.filter((stage) => (only === undefined ? !fast || stage.fast : stage.name === only));
if (stages.length === 0) {
  console.error(`no such stage: ${only}; there are ${STAGES.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
const ci = process.env['CI'] === 'true';
const allowed = JSON.parse(readFileSync('tests/skips.json', 'utf8')) as readonly AllowedSkip[];

const work = mkdtempSync(join(tmpdir(), 'sallyport-tests-'));
const componentsFile = join(work, 'components');
writeFileSync(componentsFile, '');
const outcomes: Outcome[] = [];
const table: string[] = [];

try {
  for (const stage of stages) await run(stage);
} finally {
  report();
  rmSync(work, { recursive: true, force: true });
}

async function run(stage: Stage): Promise<void> {
  const command = stage.command(filter);
  if (command === undefined) return;
  console.log(`\n== ${stage.name}: ${stage.says} (budget ${stage.budget} s)`);
  const results = join(work, stage.name);
  writeFileSync(results, '');
  const started = performance.now();
  const status = await start(command, results, stage.budget * 3 + 300);
  const seconds = (performance.now() - started) / 1000;
  const mine = lines<Outcome>(results);
  const isSuite = command.includes('--test');
  if (!isSuite) {
    mine.push({
      file: stage.name,
      name: stage.says,
      outcome: status === 0 ? 'passed' : 'failed',
      reason: `ended with ${status}`,
      milliseconds: seconds * 1000,
    });
  } else if (status !== 0 && !mine.some(({ outcome }) => outcome === 'failed')) {
    // The process itself died, or was stopped: no test says so.
    mine.push({
      file: stage.name,
      name: 'the test process',
      outcome: 'failed',
      reason: `ended with ${status}`,
      milliseconds: seconds * 1000,
    });
  }
  outcomes.push(...mine);
  const over = seconds > stage.budget ? ', over its budget' : '';
  const line = `${stage.name.padEnd(12)} ${counts(mine).padEnd(36)} ${seconds.toFixed(1)} s of ${stage.budget} s${over}`;
  table.push(line);
  console.log(line);
  if (seconds > stage.budget && isSuite) for (const slow of slowest(mine)) console.log(`  ${slow}`);
}

/** The files that took longest, for a stage that is over its budget. */
function slowest(some: readonly Outcome[]): string[] {
  const files = new Map<string, number>();
  for (const { file, milliseconds } of some) files.set(file, (files.get(file) ?? 0) + milliseconds / 1000);
  return [...files]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 8)
    .map(([file, seconds]) => `${seconds.toFixed(1).padStart(7)} s  ${file}`);
}

function start(command: readonly string[], results: string, limit: number): Promise<number | string> {
  const child = spawn(process.execPath, command, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, SALLYPORT_TEST_RESULTS: results, SALLYPORT_TEST_COMPONENTS: componentsFile },
  });
  const timer = setTimeout(() => child.kill('SIGTERM'), limit * 1000);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve(code ?? signal ?? 'unknown');
    });
  });
}

function report(): void {
  console.log('\n== what each stage took');
  for (const line of table) console.log(line);

  const components = lines<Component>(componentsFile);
  const seen = new Map(components.map((component) => [JSON.stringify(component), component]));
  const present = [...seen.values()].filter(({ skipped }) => skipped === '');
  const absent = [...seen.values()].filter(({ skipped }) => skipped !== '');
  console.log('\n== real components that were used');
  for (const { name, version, from } of present.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    console.log(`${name.padEnd(28)} ${version.padEnd(20)} ${from}`);
  }
  if (present.length === 0) console.log('none');
  console.log('\n== skipped, and why');
  for (const { name, skipped } of absent) console.log(`${name.padEnd(28)} ${skipped}`);
  const skips = outcomes.filter(({ outcome }) => outcome === 'skipped');
  for (const skip of skips) {
    const listed = allowed.find(({ file, says }) => (file === '*' || file === skip.file) && skip.reason.includes(says));
    const note =
      listed === undefined ? (ci ? ' [not in tests/skips.json: fails]' : '') : ` [allowed: ${listed.reason}]`;
    console.log(`${skip.file}: ${skip.name}: ${skip.reason}${note}`);
    if (ci && listed === undefined) {
      outcomes.push({ ...skip, outcome: 'failed', reason: `skipped in CI: ${skip.reason}` });
      outcomes.splice(outcomes.indexOf(skip), 1);
    }
  }
  if (absent.length + skips.length === 0) console.log('none');

  const failed = outcomes.filter(({ outcome }) => outcome === 'failed');
  if (failed.length > 0) console.log('\n== failed');
  for (const { file, name } of failed) console.log(`${file}: ${name}`);
  if (failed.length > 0) process.exitCode = 1;
  console.log(`\n${counts(outcomes)}`);
}

function counts(some: readonly Outcome[]): string {
  const count = (wanted: Outcome['outcome']) => some.filter(({ outcome }) => outcome === wanted).length;
  return `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`;
}

function lines<T>(file: string): T[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
