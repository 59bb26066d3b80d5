import { printable } from '#kernel';
import { StepFailure } from '../story.ts';
import type { Stage } from './stage.ts';

/** Undeclared edges that are tried: beyond it the first ones stand for the rest. */
const EDGES = 30;

export async function tryRequest(
  stage: Stage,
  index: number,
  request: {
    from: string;
    to: string;
    method: string;
    path: string;
    headers: Readonly<Record<string, string>>;
    body?: string;
    expect: { status: number; contains?: string };
  },
): Promise<void> {
  const { from, to, method, path, expect } = request;
  await stage.story.step(`request-${index + 1}`, `${method} ${path} of ${to}`, 'enclave', async () => {
    const port = stage.crossed.project.services.find(({ name }) => name === to)?.port;
    if (port === undefined) throw new StepFailure(`The service ${to} declares no port.`);
    if (!stage.runs(to)) throw new StepFailure(`The service ${to} does not run.`, 'not-tested');
    const { headers, body } = request;
    const answer = await stage.probe(from, {
      probe: 'http',
      url: `http://${to}:${port}${path}`,
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      timeout: 30_000,
    });
    const text = printable((answer.text ?? '').slice(0, 300));
    if (!answer.ok) throw new StepFailure(`No answer: ${answer.detail}`);
    if (answer.status !== expect.status)
      throw new StepFailure(`It answered ${answer.status}, expected ${expect.status}: ${text}`);
    if (expect.contains !== undefined && answer.text?.includes(expect.contains) !== true) {
      throw new StepFailure(`Its answer does not hold ${JSON.stringify(expect.contains)}: ${text}`);
    }
    return {
      value: true,
      detail: `${answer.status}, ${answer.size ?? 0} bytes`,
      bytes: answer.size ?? 0,
      digest: answer.digest ?? '',
    };
  });
}

/** Tries what no flow declares, between services that run. Returns which edges those were. */
export async function tryEdges(stage: Stage): Promise<string[]> {
  const { services, flows } = stage.crossed.project;
  const open = new Set(flows.map(({ from, to, port, protocol }) => `${from}>${to}:${port}/${protocol}`));
  const pairs = services
    .filter(({ name }) => stage.runs(name))
    .flatMap(({ name: from }) =>
      services.flatMap(({ name: to, port }) =>
        from === to || port === undefined || !stage.runs(to) || open.has(`${from}>${to}:${port}/tcp`)
          ? []
          : [{ from, to, port }],
      ),
    );
  const tried = pairs.slice(0, EDGES);
  if (tried.length === 0) return [];
  await stage.story.step('edges', 'Undeclared edges between services are refused', 'enclave', async () => {
    const reached: string[] = [];
    await Promise.all(
      tried.map(async ({ from, to, port }) => {
        const answer = await stage.probe(from, { probe: 'connect', host: to, port, timeout: 5000 });
        if (answer.ok) reached.push(`${from} reached ${to}:${port}`);
      }),
    );
    const seen = await stage.enclave.attempts();
    for (const { from, to, port } of tried) {
      const noticed = seen.some(
        (one) => one.kind === 'edge' && one.from === from && one.to === to && one.port === port,
      );
      if (!noticed) reached.push(`${from} to ${to}:${port} left no trace`);
    }
    if (reached.length > 0) throw new StepFailure(reached.join('; '));
    const edges = tried.map(({ from, to, port }) => `${from} to ${to}:${port}`).join(', ');
    const rest = pairs.length > tried.length ? ` (${tried.length} of ${pairs.length})` : '';
    return { value: true, detail: `${edges}${rest}: each refused and recorded` };
  });
  return tried.map(({ from, to, port }) => `${from}>${to}:${port}`);
}
