import { resolve } from 'node:path';
import { type Implementation, instantOf, type World } from '#kernel';
import { cross, type Crossed, refuse, together, verifyLedgers } from '../io/crossing.ts';
import { clientsAtHand, type InsideResult, NOTHING_INSIDE, runInside } from '../io/inside.ts';
import { openPlace, type Place, placeOf } from '../io/place.ts';
import { besideReport, gatherProofs, writeReport, writeUnsigned } from '../io/recording.ts';
import type { RehearseInput, RehearseOutput } from '../operations.ts';
import { type Refusal, type Report, REPORT_VERSION } from '../report.ts';
import type { Clients } from '../io/tools.ts';
import { showReport } from '../screen.ts';
import { Story } from '../story.ts';
import { type Hold, isKeeper, keepElsewhere, keepHere } from '../io/keep.ts';

export const rehearseVerb: Implementation<RehearseInput, RehearseOutput> = {
  run: (input, world) => (input.keep === true ? keepElsewhere(input, world) : perform(input, world)),

  async follow(input, world, emit) {
    if (input.keep !== true || !isKeeper(world)) return emit(await this.run(input, world));
    await keepHere(input, world, (hold) => perform(input, world, hold), emit);
  },

  exit: ({ verdict }) => (verdict === 'proved' ? 0 : 1),

  show(output, style) {
    const { kept } = output;
    const text = showReport(output, style);
    if (kept === undefined) return text;
    const hints = [
      `Kept until ${kept.until}, or until 'sallyport enclave stop'. In this folder:`,
      '  sallyport enclave list',
      '  sallyport enclave shell -- curl -sv https://registry.example.test/',
      '  sallyport enclave logs SERVICE --follow',
      '  sallyport enclave capture -o packets.pcap --seconds 10',
    ];
    return `${text}\n\n${hints.join('\n')}`;
  },
};

async function perform(input: RehearseInput, world: World, hold?: Hold): Promise<Report> {
  const folder = resolve(world.cwd, input.folder ?? '.');
  const place = placeOf(folder);
  const path = input.report === undefined ? place.report : resolve(world.cwd, input.report);
  const started = world.clock.now();
  const timer = performance.now();
  const close = await openPlace(world.files, place);
  try {
    announce(world, folder);
    const story = new Story(world, timer);
    let clients: Promise<Clients | undefined> = Promise.resolve(undefined);
    const crossed = await cross(world, place, story, {
      unconfined: input.unconfined === true,
      onProject(project) {
        clients = clientsAtHand(world, place, story, project);
        // Whoever waits for it learns it; nobody does before all has crossed.
        clients.catch(() => undefined);
      },
    }).finally(() => clients.catch(() => undefined));
    let refusals: Refusal[] = [];
    let inside = NOTHING_INSIDE;
    if (crossed === undefined) {
      story.skip('inside', 'The project runs without a network', 'enclave', 'Nothing has crossed.');
    } else {
      // Side by side: what is refused changes nothing that the depot serves.
      [inside, refusals] = await together(
        runInside(world, place, story, crossed, {
          clients,
          everyInstall: input.everyInstall ?? false,
          ...(hold === undefined ? {} : { hold }),
        }),
        refuse(world, place, story, crossed),
      );
      await verifyLedgers(world, place, story);
    }
    const proofs = crossed === undefined ? { ledgers: [], proofs: [] } : await gather(world, place, story, crossed);
    const report: Report = {
      'sallyport-report': REPORT_VERSION,
      verdict: story.verdict,
      reasons: story.reasons,
      offline: story.verdict === 'proved' ? 'yes' : offlineOf(story.steps, inside),
      project: crossed?.project.name ?? '',
      folder,
      started: instantOf(started),
      // Up, as steps are down: none ends after the whole.
      milliseconds: Math.ceil(performance.now() - timer),
      version: world.version,
      steps: story.steps,
      ...(crossed === undefined ? {} : { bundle: crossed.bundle }),
      ...(inside.artifacts === undefined ? {} : { artifacts: inside.artifacts }),
      ...(inside.enclave === undefined ? {} : { enclave: inside.enclave }),
      attempts: [...inside.attempts],
      uses: [...inside.uses],
      runtimeHosts: [...inside.runtimeHosts],
      refusals,
      logs: [...inside.logs],
      ...proofs,
      check: [...(crossed?.check ?? [])],
      report: path,
      ...besideReport(path),
    };
    if (crossed !== undefined) return await writeReport(world, place, report);
    await writeUnsigned(world, report);
    return report;
  } finally {
    if (hold?.stage === undefined) await close();
    else hold.release = close;
  }
}

function announce(world: World, folder: string): void {
  const steps = [
    'init, capture, seal and inspect outside',
    'pin, admit and ledger verify inside',
    'serve, npm ci, pip install, skopeo copy and the services in network namespaces without an uplink, and again without any route',
    'three bundles that must be refused',
  ];
  const text = `Rehearsing ${folder}: ${steps.join('; ')}. What is captured already is not fetched again.`;
  world.report({ type: 'note', level: 'info', text });
}

/** A step of the enclave that failed says no; one that could not be tried leaves it open. */
function offlineOf(steps: Report['steps'], { artifacts }: InsideResult): Report['offline'] {
  const inside = steps.filter(({ side, id }) => side === 'enclave' && id !== 'edges' && id !== 'misdeed');
  if (inside.some(({ outcome }) => outcome === 'failed')) return 'no';
  return artifacts !== undefined && inside.every(({ outcome }) => outcome === 'ok') ? 'yes' : 'unknown';
}

/** Entries that cannot be proved make a step that failed: a report without its evidence proves nothing. */
async function gather(world: World, place: Place, story: Story, crossed: Crossed) {
  const gathered = await story.step('proofs', 'What it relies on is proved by the ledgers', 'both', async () => {
    const value = await gatherProofs(world, place, crossed, story.steps);
    return { value, detail: `${value.proofs.length} entries, each with its inclusion proof` };
  });
  return gathered ?? { ledgers: [], proofs: [] };
}
