import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { runProcess } from '#system';
import { temporaryFolder } from '#system/testing';
import { skipped } from '../../components.ts';
import { launcher, smallProject, whyNoEnclave } from './small-project.ts';

const why = await whyNoEnclave();

// oxlint-disable-next-line no-explicit-any
async function rehearsed(folder: string): Promise<{ code: number | null; json: any }> {
  const env = process.env as Record<string, string>;
  const options = { env, keep: 64 * 1024 * 1024, timeout: 300_000 };
  const ended = await runProcess(launcher, ['rehearse', folder, '--json', '--log', 'quiet'], options);
  return { code: ended.code, json: JSON.parse(ended.stdout) };
}

const service = (script: string, more: object = {}) => ({ folder: 'data', run: ['node', '-e', script], ...more });

describe('services of a rehearsal', { skip: why !== false && skipped('namespaces', why) }, () => {
  test('that fall while they are asked are named, with their last words, and what was asked', async (t) => {
    const folder = await temporaryFolder(t);
    const falls = `require('node:http').createServer((q, s) => { console.log('no table \\u001b[31mtoday'); process.exit(9); }).listen(process.env.PORT)`;
    const again = `let n = 0; setTimeout(() => require('node:fs').existsSync('up') ? 0 : (require('node:fs').writeFileSync('up', ''), process.exit(5)), 300);
      require('node:http').createServer((q, s) => s.end('here')).listen(process.env.PORT)`;
    await smallProject(folder, {
      services: {
        falls: service(falls, { port: 8001, ready: { tcp: 8001 } }),
        again: service(again, { port: 8002, restart: 'on-failure', ready: { log: 'never' }, 'start-within': 2 }),
        after: service('setInterval(() => {}, 1000)', { needs: ['again'] }),
      },
      flows: [],
      requests: [{ to: 'falls', path: '/', expect: { status: 200 } }],
    });
    const { code, json } = await rehearsed(folder);
    assert.deepEqual([code, json.verdict, json.offline], [1, 'not-proved', 'no']);
    const step = (id: string) => json.steps.find((one: { id: string }) => one.id === id);
    assert.deepEqual(
      ['service-falls', 'service-again', 'service-after', 'request-1', 'services'].map((id) => step(id)?.outcome),
      ['ok', 'failed', 'not-tested', 'failed', 'failed'],
    );
    assert.match(step('service-again').detail, /was not ready within 2 s: no line of its output matches/);
    assert.match(step('service-after').detail, /needs again, which did not start/);
    assert.match(step('services').detail, /falls: It ended with 9\. Its last words: no table \\u\{1b\}\[31mtoday/);
    // As it was written, for whoever wants the bytes.
    assert.match(await readFile(join(folder, '.sallyport', 'logs', 'falls.log'), 'utf8'), /no table \u001b\[31mtoday/);
  });

  test('that take longer than all of it may are ended', async (t) => {
    const folder = await temporaryFolder(t);
    await smallProject(folder, {
      services: { slow: service('setInterval(() => {}, 1000)', { ready: { log: 'never' }, 'start-within': 3600 }) },
      flows: [],
      requests: [],
      'time-limit': 15,
    });
    const { code, json } = await rehearsed(folder);
    assert.deepEqual([code, json.verdict], [1, 'not-proved']);
    const limit = json.reasons.find(({ where }: { where: string }) => where === 'time-limit');
    assert.match(limit?.detail ?? '', /longer than 15 s/, JSON.stringify(json.reasons));
  });
});
