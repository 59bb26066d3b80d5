import { get } from 'node:http';
import { connect } from 'node:net';
import { ROUTER } from '../network.ts';
import type { ReadyCheck } from '../protocol.ts';

/** Milliseconds between two questions, and for one answer. */
const PAUSE = 25;
const ANSWER = 2000;

/** What the last question was answered; '' where the service is ready. */
export interface Readiness {
  readonly ok: boolean;
  readonly detail: string;
}

/**
 * Asks a service from the router until it is ready. Not ready once the time is over, or where `running` says that the
 * process has ended which should become ready.
 */
export async function waitUntilReady(
  address: string,
  check: ReadyCheck,
  timeout: number,
  running: () => boolean,
): Promise<Readiness> {
  const end = performance.now() + timeout;
  for (;;) {
    const left = Math.max(PAUSE, Math.min(ANSWER, end - performance.now()));
    const detail =
      check.kind === 'tcp' ? await connects(address, check.port, left) : await answers(address, check, left);
    if (detail === '') return { ok: true, detail };
    if (!running()) return { ok: false, detail: 'it has ended' };
    if (performance.now() > end) return { ok: false, detail };
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

function connects(host: string, port: number, timeout: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout, localAddress: ROUTER.probe });
    const end = (detail: string): void => {
      socket.destroy();
      resolve(detail);
    };
    socket.once('connect', () => end(''));
    socket.once('error', (error: NodeJS.ErrnoException) => end(`port ${port}: ${error.code ?? error.message}`));
    socket.once('timeout', () => end(`port ${port}: no answer`));
  });
}

function answers(host: string, check: ReadyCheck & { kind: 'http' }, timeout: number): Promise<string> {
  const { port, path, status } = check;
  return new Promise((resolve) => {
    const request = get(
      { host, port, path, localAddress: ROUTER.probe, agent: false, headers: { host: `${host}:${port}` } },
      (response) => {
        response.destroy();
        resolve(response.statusCode === status ? '' : `${path} answered ${response.statusCode}, expected ${status}`);
      },
    );
    // Of the whole answer: one byte a second is no answer either.
    const timer = setTimeout(() => request.destroy(new Error('no answer')), timeout);
    request.once('error', (error: NodeJS.ErrnoException) => resolve(`port ${port}: ${error.code ?? error.message}`));
    request.once('close', () => clearTimeout(timer));
  });
}
