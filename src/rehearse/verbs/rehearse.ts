import { resolve } from 'node:path';
import { describeAttempt } from '#enclave';
import { homeAt, type Implementation, instantOf, printable, type Style, type World } from '#kernel';
import { openLedger } from '#ledger';
import { writeDurably } from '#system';
import { cross, refuse, verifyLedgers } from '../io/crossing.ts';
import { runInside } from '../io/inside.ts';
import { openPlace, placeOf } from '../io/place.ts';
import type { RehearseInput } from '../operations.ts';
import { renderPage, size } from '../page.ts';
import type { Report, Refusal } from '../report.ts';
import { Story } from '../story.ts';

export const rehearseVerb: Implementation<RehearseInput, Report> = {
  async run(input, world) {
    const folder = resolve(world.cwd, input.folder ?? '.');
    const place = placeOf(folder);
    const reportPath = input.report === undefined ? place.report : resolve(world.cwd, input.report);
    const started = world.clock.now();
    const timer = performance.now();
    const close = await openPlace(world.files, place);
    try {
      announce(world, folder);
      const story = new Story(world);
      const crossed = await cross(world, place, story);
      let refusals: Refusal[] = [];
      let inside: Awaited<ReturnType<typeof runInside>> = { attempts: [], artifacts: undefined };
      if (crossed === undefined) {
        story.skip('inside', 'The project runs without a network', 'enclave', 'Nothing has crossed.');
      } else {
        inside = await runInside(world, place, story, crossed);
        refusals = await refuse(world, place, story, crossed);
        await verifyLedgers(world, place, story);
      }
      const { steps } = story;
      const ran = steps.some(({ id }) => id === 'digests');
      const report: Report = {
        verdict: story.verdict,
        reasons: story.reasons,
        offline: story.verdict === 'proved' ? 'yes' : offlineOf(steps, ran),
        project: crossed?.project.name ?? '',
        folder,
        started: instantOf(started),
        milliseconds: Math.round(performance.now() - timer),
        version: world.version,
        steps,
        ...(crossed === undefined ? {} : { bundle: crossed.bundle }),
        ...(inside.artifacts === undefined ? {} : { artifacts: inside.artifacts }),
        attempts: [...inside.attempts],
        refusals,
        check: [...(crossed?.check ?? [])],
        report: reportPath,
        page: reportPath.replace(/(?:\.json)?$/, '.html'),
      };
      if (crossed !== undefined) await record(world, place.inside, report);
      await writeDurably(world.files, reportPath, `${JSON.stringify(report, null, 2)}\n`, { mode: 0o600 });
      await writeDurably(world.files, report.page, renderPage(report), { mode: 0o600 });
      return report;
    } finally {
      await close();
    }
  },

  exit: ({ verdict }) => (verdict === 'proved' ? 0 : 1),
  show,
};

function announce(world: World, folder: string): void {
  const steps = [
    'init, capture, seal and inspect outside',
    'pin, admit and ledger verify inside',
    'serve, npm ci, pip install, skopeo copy and the services in network namespaces without an uplink',
    'three bundles that must be refused',
  ];
  const text = `Rehearsing ${folder}: ${steps.join('; ')}. What is captured already is not fetched again.`;
  world.report({ type: 'note', level: 'info', text });
}

/** A step of the enclave that failed says no; one that could not be tried leaves it open. */
function offlineOf(steps: Report['steps'], ran: boolean): Report['offline'] {
  const inside = steps.filter(({ side, id }) => side === 'enclave' && id !== 'edges' && id !== 'misdeed');
  if (inside.some(({ outcome }) => outcome === 'failed')) return 'no';
  return ran && inside.every(({ outcome }) => outcome === 'ok') ? 'yes' : 'unknown';
}

/** The rehearsal itself is evidence of the inside. */
async function record(world: World, home: string, report: Report): Promise<void> {
  const ledger = await openLedger(world.files, homeAt(home), world.clock);
  try {
    const appended = await ledger.append({
      predicateType: 'sallyport/rehearsed/v1',
      subject: [{ name: 'index.jsonl', digest: { sha256: (report.bundle?.index ?? '').replace(/^sha256:/, '') } }],
      predicate: {
        verdict: report.verdict,
        offline: report.offline,
        project: report.project,
        started: report.started,
        milliseconds: report.milliseconds,
        version: report.version,
        steps: report.steps.map(({ id, outcome }) => ({ id, outcome })),
        served: report.artifacts?.served ?? 0,
        locked: report.artifacts?.locked ?? 0,
        attempts: report.attempts.length,
        refused: report.refusals.map(({ what, refused, codes }) => ({ what, refused, codes })),
      },
    });
    report.steps.push({
      id: 'recorded',
      title: 'The rehearsal is recorded in the ledger inside',
      outcome: 'ok',
      side: 'inside',
      milliseconds: 0,
      ledger: appended.index,
      detail: `entry ${appended.index}`,
    });
  } finally {
    await ledger.close();
  }
}

function show(report: Report, style: Style): string {
  const lines: string[] = [];
  const mark = { ok: style.good('ok     '), failed: style.bad('failed '), 'not-tested': style.warn('unknown') };
  for (const step of report.steps) {
    const facts = [
      seconds(step.milliseconds),
      ...(step.bytes === undefined || step.bytes === 0 ? [] : [size(step.bytes)]),
      ...(step.ledger === undefined ? [] : [`entry ${step.ledger}`]),
      ...(step.digest === undefined ? [] : [`${step.digest.slice(0, 19)}…`]),
    ];
    lines.push(`${mark[step.outcome]} ${step.title}  ${style.dim(facts.join(', '))}`);
    if (step.detail !== '') lines.push(`        ${style.dim(step.detail)}`);
  }
  lines.push('');
  const unasked = report.attempts.filter(({ deliberate }) => !deliberate);
  if (unasked.length > 0) {
    lines.push(style.bold('Tried to reach what is not there (blocked, recorded):'));
    const texts = new Map<string, number>();
    for (const attempt of unasked) {
      const text = describeAttempt(attempt);
      texts.set(text, (texts.get(text) ?? 0) + attempt.count);
    }
    for (const [text, count] of [...texts].slice(0, 20)) {
      lines.push(`  ${printable(text)}${count > 1 ? ` (${count} times)` : ''}`);
    }
    if (texts.size > 20) lines.push(`  and ${texts.size - 20} more, in the report`);
    lines.push('');
  }
  const answer = {
    yes: style.good('yes'),
    no: style.bad('no'),
    unknown: style.warn('unknown: not everything could be tried'),
  };
  lines.push(`${style.bold('Could this run without internet?')}  ${answer[report.offline]}`);
  if (report.artifacts !== undefined) {
    const { served, locked, bytes } = report.artifacts;
    lines.push(
      `Served by the depot: ${served} of ${locked} artifacts of the lock, ${size(bytes)}, each by its digest.`,
    );
  }
  const deliberate = report.attempts.length - unasked.length;
  lines.push(`Attempts to call out: ${unasked.length}, and ${deliberate} made on purpose; all blocked and recorded.`);
  for (const { what, refused, codes, ledger } of report.refusals) {
    const entry = ledger === undefined ? '' : `, entry ${ledger}`;
    lines.push(
      `Refused: ${what}  ${refused ? style.good(codes.join(', ')) : style.bad('NOT REFUSED')}${style.dim(entry)}`,
    );
  }
  if (report.verdict === 'not-proved') {
    lines.push(style.bad('Not proved:'));
    for (const { where, detail } of report.reasons) lines.push(`  ${where}: ${detail}`);
  }
  lines.push(`Took ${seconds(report.milliseconds)}. The report: ${report.report}`, `As a page:    ${report.page}`);
  if (report.check.length > 0) {
    lines.push(
      '',
      'Check the bundle without Sallyport, in an empty folder:',
      ...report.check.map((line) => `  ${line}`),
    );
  }
  return lines.join('\n');
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 2 : 1)} s`;
}
