import { execFileSync, spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { shellQuote } from '#kernel';
import { namesOf, nodeBatch, placeBatch } from '../links.ts';
import { NODE, type PlaceAddresses } from '../protocol.ts';

export interface Opened {
  /** Open files of the places' namespaces, in their order. */
  readonly namespaces: readonly number[];
  readonly kernel: string;
  readonly nft: string;
  readonly ipv6: boolean;
}

/** Makes node, outside and pods. The agent's own network namespace is the node. */
export async function openPlaces(ip: string, nft: string, places: readonly PlaceAddresses[]): Promise<Opened> {
  // /run is the agent's own from now on: the names of the namespaces stand there.
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
  const ipv6 = existsSync('/proc/sys/net/ipv6/conf/all/forwarding');
  const settings = ['ipv4/ip_forward=1', ...(ipv6 ? ['ipv6/conf/all/forwarding=1'] : [])];
  for (const one of settings) {
    const [file, value] = one.split('=') as [string, string];
    writeFileSync(`/proc/sys/net/${file}`, value);
  }
  const families = (batch: string): string =>
    ipv6
      ? batch
      : batch
          .split('\n')
          .filter((line) => !line.includes(':'))
          .join('\n');
  // One shell starts the programs: each that Node starts costs many times what it does itself.
  const lines = ['set -e', `${shellQuote(ip)} -batch - <<'END'\n${families(nodeBatch(places))}END`, 'all='];
  for (const place of places.keys()) {
    if (place === NODE) continue;
    const { namespace } = namesOf(place);
    const batch = families(placeBatch(places, place));
    lines.push(`${shellQuote(ip)} -n ${namespace} -batch - <<'END' &\n${batch}END`, 'all="$all $!"');
  }
  lines.push('for one in $all; do wait "$one"; done', '');
  await run('/bin/sh', ['-s'], lines.join('\n'));
  return {
    namespaces: [...places.keys()].map((place) =>
      openSync(place === NODE ? '/proc/thread-self/ns/net' : `/run/netns/${namesOf(place).namespace}`, 'r'),
    ),
    kernel: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
    nft: execFileSync(nft, ['--version'], { encoding: 'utf8' }).trim(),
    ipv6,
  };
}

/** Each text by a call of nft of its own, in their order. The thread must be in the node. */
export async function applyRules(nft: string, texts: readonly string[]): Promise<void> {
  for (const text of texts) await run(nft, ['-f', '-'], text);
}

function run(command: string, args: readonly string[], input: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'] });
    let words = '';
    child.stderr.on('data', (piece: Buffer) => (words = (words + piece.toString()).slice(0, 8192)));
    child.stdin.on('error', () => undefined);
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} ${args.join(' ')}: ${words.trim() || `exit ${code}`}`));
    });
    child.stdin.end(input);
  });
}
