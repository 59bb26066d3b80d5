import { dirname, join } from 'node:path';
import { printable, type World } from '#kernel';
import type { Project } from '#project';
import { lastWords, pipProgram, runProcess } from '#system';
import { captureFault } from '../faults.ts';

/**
 * Runs the commands of `prepare` in sallyport.yaml whose results are not there yet, in the project's folder and with
 * the user's own environment: they are the project's build scripts. Throws capture.prepare-failed.
 */
export async function prepareInputs(world: World, project: Project): Promise<void> {
  for (const { run, makes, needs } of project.prepare) {
    const path = join(project.folder, makes);
    if ((await world.files.look(path)) !== undefined) continue;
    const [program = '', ...words] = run;
    const shown = printable(run.join(' '));
    world.report({ type: 'step', step: 'prepare', title: `Make ${printable(makes)}: ${shown}` });
    const env: Record<string, string> = {};
    for (const [name, value] of Object.entries(world.env)) if (value !== undefined) env[name] = value;
    if (needs.includes('pip')) {
      const pip = await pipProgram({ env: world.env, report: world.report, signal: world.signal });
      // As `pip3` on PATH, where the machine's Python comes without it.
      if (pip.source === 'cache') env['PATH'] = `${dirname(pip.command)}:${env['PATH'] ?? ''}`;
    }
    const ended = await runProcess(program, words, { cwd: project.folder, env, signal: world.signal });
    const made = ended.code === 0 && (await world.files.look(path)) !== undefined;
    const title = `${made ? 'Made' : 'Did not make'} ${printable(makes)}`;
    world.report({ type: 'end', step: 'prepare', title, ok: made });
    if (made) continue;
    const how =
      ended.code === 0
        ? 'It ended well and did not make it.'
        : `It ended with ${ended.code ?? ended.signal}: ${lastWords(ended)}`;
    throw captureFault('capture.prepare-failed', { where: shown, detail: printable(how) });
  }
}
