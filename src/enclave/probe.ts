/**
 * A small client that runs inside a machine of the enclave: asks, connects, or fetches, and prints one JSON document.
 * Its argument is one JSON document as well.
 */
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { Probe, ProbeAnswer } from './probe-types.ts';

const KEPT = 64 * 1024;

async function perform(probe: Probe): Promise<ProbeAnswer> {
  switch (probe.probe) {
    case 'connect':
      return new Promise((resolve) => {
        const socket = connect({ host: probe.host, port: probe.port, timeout: probe.timeout });
        const end = (ok: boolean, detail: string): void => {
          socket.destroy();
          resolve({ ok, detail });
        };
        socket.once('connect', () => end(true, 'connected'));
        socket.once('timeout', () => end(false, 'no answer'));
        socket.once('error', (error: NodeJS.ErrnoException) => end(false, error.code ?? error.message));
      });
    case 'datagram': {
      const socket = createSocket(probe.host.includes(':') ? 'udp6' : 'udp4');
      await new Promise<void>((resolve) => {
        socket.send(probe.text, probe.port, probe.host, () => resolve());
      });
      socket.close();
      return { ok: true, detail: 'sent' };
    }
    case 'http': {
      const answer = await fetch(probe.url, {
        method: probe.method ?? 'GET',
        headers: probe.headers ?? {},
        ...(probe.body === undefined ? {} : { body: probe.body }),
        redirect: 'manual',
        signal: AbortSignal.timeout(probe.timeout),
      });
      const hash = createHash('sha256');
      const kept: Uint8Array[] = [];
      let size = 0;
      for await (const piece of answer.body ?? []) {
        hash.update(piece as Uint8Array);
        if (size < KEPT) kept.push((piece as Uint8Array).subarray(0, KEPT - size));
        size += (piece as Uint8Array).length;
      }
      const text = Buffer.concat(kept).toString('utf8');
      return { ok: true, status: answer.status, size, digest: `sha256:${hash.digest('hex')}`, text, detail: '' };
    }
  }
}

let answer: ProbeAnswer;
try {
  answer = await perform(JSON.parse(process.argv[2] ?? '') as Probe);
} catch (error) {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  answer = { ok: false, detail: cause?.code ?? (error instanceof Error ? error.message : String(error)) };
}
process.stdout.write(`${JSON.stringify(answer)}\n`);
