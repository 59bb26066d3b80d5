import { createReadStream } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

// Unpacks archives with the readers of npm, which lie in the folder of the first argument. One line of stdin a case:
// reader, archive, target; one answer a line.

interface Tar {
  x(options: { file: string; cwd: string; onwarn: () => void }): Promise<void>;
}
interface TarStream {
  extract(): Writable & {
    on(event: 'entry', listener: (header: object, stream: Readable, next: () => void) => void): void;
  };
}
interface TarFs {
  extract(target: string): Writable;
}

const peer = createRequire(join(process.argv[2] ?? '', 'package.json'));

async function treat(reader: string, archive: string, target: string): Promise<'taken' | 'warned' | 'refused'> {
  const zipped = archive.endsWith('.tgz') ? [createGunzip()] : [];
  try {
    if (reader === 'tar') {
      let warned = false;
      await (peer('tar') as Tar).x({ file: archive, cwd: target, onwarn: () => (warned = true) });
      return warned ? 'warned' : 'taken';
    }
    if (reader === 'tar-fs') {
      await pipeline([createReadStream(archive), ...zipped, (peer('tar-fs') as TarFs).extract(target)]);
      return 'taken';
    }
    // It only lists; others write what it gives.
    const extract = (peer('tar-stream') as TarStream).extract();
    extract.on('entry', (_, stream, next) => {
      stream.on('end', next);
      stream.resume();
    });
    await pipeline([createReadStream(archive), ...zipped, extract]);
    return 'taken';
  } catch {
    return 'refused';
  }
}

for await (const line of createInterface(process.stdin)) {
  const [reader, archive, target] = JSON.parse(line) as [string, string, string];
  // A reader that throws where nobody can catch it, or never ends, has not taken the archive either.
  const fallen = new Promise<'refused'>((resolve) => {
    process.removeAllListeners('uncaughtException').once('uncaughtException', () => resolve('refused'));
    setTimeout(() => resolve('refused'), 5000);
  });
  console.log(await Promise.race([treat(reader, archive, target), fallen]));
}
process.exit(0);
