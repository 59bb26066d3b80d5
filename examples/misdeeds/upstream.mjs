// The public registry of this example, on loopback: the packages of `packages/` under the protocols of npm and PyPI.
//
//   node upstream.mjs COMMAND…      serves, runs the command with npm and pip pointed here, and ends with it
//   node upstream.mjs --write-locks writes what the lockfiles say about the packages, after one was changed
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { constants } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

const HERE = import.meta.dirname;
const packages = join(HERE, 'packages');
const npm = readdirSync(join(packages, 'npm')).map((folder) => {
  const manifest = JSON.parse(readFileSync(join(packages, 'npm', folder, 'package.json'), 'utf8'));
  const bytes = tarball(join(packages, 'npm', folder), 'package');
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  return { manifest, bytes, integrity, file: `${manifest.name}-${manifest.version}.tgz` };
});
const pypi = readdirSync(join(packages, 'pypi')).map((folder) => {
  const information = readFileSync(join(packages, 'pypi', folder, 'PKG-INFO'), 'utf8');
  const field = (name) => new RegExp(`^${name}: (.*)$`, 'm').exec(information)[1];
  const file = `${folder}-${field('Version')}`;
  const bytes = tarball(join(packages, 'pypi', folder), file);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { name: field('Name'), version: field('Version'), bytes, sha256, file: `${file}.tar.gz` };
});

const words = process.argv.slice(2);
if (words[0] === '--write-locks') writeLocks();
else serve(words);

function serve([command, ...args]) {
  const server = createServer((request, response) => {
    const base = `http://${request.headers.host}`;
    const [kind, ...path] = decodeURIComponent(request.url)
      .slice(1)
      .split('/')
      .filter((part) => part !== '');
    const answer = kind === 'npm' ? npmAnswer(base, path) : kind === 'pypi' ? pypiAnswer(base, path) : undefined;
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': answer?.type ?? 'text/plain' });
    response.end(answer?.body ?? 'not here\n');
  });
  server.listen(0, '127.0.0.1', () => {
    const base = `http://127.0.0.1:${server.address().port}`;
    const settings = { npm_config_registry: `${base}/npm/`, PIP_INDEX_URL: `${base}/pypi/simple/` };
    if (command === undefined) {
      for (const [name, value] of Object.entries(settings)) console.log(`export ${name}=${value}`);
      return;
    }
    const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...settings } });
    const pass = (signal) => child.kill(signal);
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, pass);
    child.on('error', (error) => {
      console.error(error.message);
      process.exit(127);
    });
    child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
  });
}

function npmAnswer(base, [name, , file]) {
  const own = npm.filter(({ manifest }) => manifest.name === name);
  if (own.length === 0) return undefined;
  if (file !== undefined) {
    const one = own.find((candidate) => candidate.file === file);
    return one && { type: 'application/octet-stream', body: one.bytes };
  }
  const versions = own.map(({ manifest, integrity, file: tgz }) => [
    manifest.version,
    { ...manifest, ...installs(manifest), dist: { integrity, tarball: `${base}/npm/${name}/-/${tgz}` } },
  ]);
  const document = { name, 'dist-tags': { latest: versions[0][0] }, versions: Object.fromEntries(versions) };
  return { type: 'application/json', body: JSON.stringify(document) };
}

function pypiAnswer(base, [where, name]) {
  if (where === 'files') {
    const one = pypi.find(({ file }) => file === name);
    return one && { type: 'application/octet-stream', body: one.bytes };
  }
  const files = pypi
    .filter((one) => one.name === name)
    .map(({ file, sha256, bytes }) => ({
      filename: file,
      url: `${base}/pypi/files/${file}`,
      hashes: { sha256 },
      size: bytes.length,
      'upload-time': '2026-01-01T00:00:00.000000Z',
    }));
  if (files.length === 0) return undefined;
  const body = JSON.stringify({
    meta: { 'api-version': '1.1' },
    name,
    versions: pypi.map(({ version }) => version),
    files,
  });
  return { type: 'application/vnd.pypi.simple.v1+json', body };
}

function writeLocks() {
  for (const folder of ['web', 'poison', 'greed/memory', 'greed/disk', 'greed/processes']) {
    const root = JSON.parse(readFileSync(join(HERE, folder, 'package.json'), 'utf8'));
    const { name, version, license, dependencies } = root;
    const locked = { '': { name, version, license, dependencies } };
    const add = (wanted) => {
      for (const dependency of Object.keys(wanted ?? {}).sort()) {
        const { manifest, integrity, file } = npm.find((one) => one.manifest.name === dependency);
        locked[`node_modules/${dependency}`] = {
          version: manifest.version,
          resolved: `https://registry.example.test/${dependency}/-/${file}`,
          integrity,
          ...installs(manifest),
          license: manifest.license,
          ...(manifest.dependencies === undefined ? {} : { dependencies: manifest.dependencies }),
        };
        add(manifest.dependencies);
      }
    };
    add(dependencies);
    const sorted = Object.fromEntries(Object.entries(locked).sort(([a], [b]) => (a < b ? -1 : 1)));
    const lock = { name, version, lockfileVersion: 3, requires: true, packages: sorted };
    writeFileSync(join(HERE, folder, 'package-lock.json'), `${JSON.stringify(lock, null, 2)}\n`);
  }
  const lines = pypi.map(({ name, version, sha256 }) => `${name}==${version} --hash=sha256:${sha256}\n`);
  writeFileSync(join(HERE, 'api', 'requirements.txt'), lines.join(''));
}

function installs(manifest) {
  return manifest.scripts?.postinstall === undefined ? {} : { hasInstallScript: true };
}

/** The same folder gives the same bytes everywhere: no times, no owners, and gzip without compressing. */
function tarball(folder, prefix) {
  const blocks = [];
  for (const path of readdirSync(folder, { recursive: true }).sort()) {
    if (path.includes('__pycache__') || !statSync(join(folder, path)).isFile()) continue;
    const bytes = readFileSync(join(folder, path));
    const header = Buffer.alloc(512);
    header.write(`${prefix}/${path}`, 0, 100);
    header.write(['0000644', '0000000', '0000000', ''].join('\0'), 100, 'latin1');
    header.write([bytes.length.toString(8).padStart(11, '0'), '0'.repeat(11), '        0'].join('\0'), 124, 'latin1');
    header.write('ustar\u000000', 257, 'latin1');
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\u0000 `, 148, 'latin1');
    blocks.push(header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512));
  }
  const tar = Buffer.concat([...blocks, Buffer.alloc(1024)]);
  const parts = [Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])];
  for (let at = 0; at < tar.length; at += 65535) {
    const piece = tar.subarray(at, at + 65535);
    const head = Buffer.alloc(5);
    head[0] = at + piece.length === tar.length ? 1 : 0;
    head.writeUInt16LE(piece.length, 1);
    head.writeUInt16LE(0xffff ^ piece.length, 3);
    parts.push(head, piece);
  }
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(crc32(tar), 0);
  tail.writeUInt32LE(tar.length, 4);
  return Buffer.concat([...parts, tail]);
}
