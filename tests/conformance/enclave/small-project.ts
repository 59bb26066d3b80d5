import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorMessage } from '#kernel';
import { debianTools, findProgram, namespacesAllowed } from '#system';

export const launcher = fileURLToPath(new URL('../../../sallyport', import.meta.url));

/** Why enclaves cannot be made here, or false. */
export async function whyNoEnclave(): Promise<string | false> {
  const tools = await debianTools(['ip', 'nft'], { env: process.env }).catch((error: unknown) => errorMessage(error));
  if (typeof tools === 'string') return `no namespaces: ${tools}`;
  if ((await findProgram('npm', process.env)) === undefined) return 'no namespaces: npm is not here';
  const answer = await namespacesAllowed(process.env, { ip: tools.ip.path, nft: tools.nft.path });
  return answer.allowed ? false : `no namespaces: ${answer.reason}`;
}

const answers = (word: string): string =>
  `require('node:http').createServer((q, s) => { console.log('asked', q.url); s.end(${JSON.stringify(word)}); }).listen(process.env.PORT)`;
const asks = `require('node:http').createServer((q, s) =>
  fetch('http://back:8001/').then((r) => r.text()).then((t) => s.end(t), (e) => s.writeHead(502).end(String(e)))).listen(process.env.PORT);
process.on('SIGTERM', () => process.exit(0))`;

/** A project that needs no network: two services in the language that is here anyway, and a file. */
export async function smallProject(folder: string, change: Record<string, unknown> = {}): Promise<void> {
  await mkdir(join(folder, 'data'), { recursive: true });
  await writeFile(join(folder, 'data', 'terms.txt'), 'terms\n');
  const project = {
    sallyport: '1.0',
    name: 'small',
    targets: { 'linux-here': { os: 'linux', arch: process.arch === 'arm64' ? 'arm64' : 'amd64' } },
    inputs: [{ files: 'data' }],
    services: {
      back: { folder: 'data', run: ['node', '-e', answers('behind')], port: 8001 },
      front: { folder: 'data', run: ['node', '-e', asks], port: 8000, needs: ['back'] },
    },
    flows: [{ from: 'front', to: 'back', port: 8001, protocol: 'tcp', reason: 'test', owner: 'test' }],
    requests: [{ to: 'front', path: '/', expect: { status: 200, contains: 'behind' } }],
    ...change,
  };
  await writeFile(join(folder, 'sallyport.yaml'), JSON.stringify(project));
}
