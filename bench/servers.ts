import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What ends when a bench ends, last started first. */
export type Stops = (() => Promise<void>)[];

export const launcher = fileURLToPath(new URL('../sallyport', import.meta.url));

/** The depot of a home, as an operator starts it; its address. */
export async function startDepot(home: string, stop: Stops): Promise<string> {
  const child = spawn(launcher, ['serve', '--json', '--home', home, '--listen', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  stop.push(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  const [first] = (await once(child.stdout, 'data')) as [Buffer];
  return (JSON.parse(first.toString()) as { listening: string[] }).listening[0] ?? '';
}

/** nginx over a folder, as Debian configures it, with the log on: the depot writes one too. `port` must be free. */
export async function startNginx(
  nginx: string,
  folder: string,
  server: { readonly port: number; readonly root: string; readonly location?: string },
  stop: Stops,
): Promise<string> {
  const at = (name: string): string => join(folder, name);
  const conf = `
    daemon off; pid ${at('nginx.pid')}; error_log ${at('error.log')}; worker_processes auto;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 768; }
    http {
      access_log ${at('access.log')}; sendfile on; tcp_nopush on; default_type application/octet-stream;
      keepalive_requests 1000000;
      ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${at(name)};`).join(' ')}
      server { listen 127.0.0.1:${server.port}; root ${server.root}; ${server.location ?? ''} }
    }`;
  await writeFile(at('nginx.conf'), conf);
  const child = spawn(nginx, ['-e', at('error.log'), '-p', folder, '-c', at('nginx.conf')], { stdio: 'inherit' });
  const ended = once(child, 'exit');
  stop.push(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  for (const started = Date.now(); Date.now() - started < 5000;) {
    const isThere = await access(at('nginx.pid')).then(
      () => true,
      () => false,
    );
    if (isThere) return `http://127.0.0.1:${server.port}`;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('nginx did not start');
}
