import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, type Report, shellQuote } from '#kernel';
import { systemFault } from './faults.ts';
import { childEnvironment, lastWords, runProcess } from './processes.ts';

/** Programs that Sallyport may call, and the Debian package that holds each. */
const PACKAGES = {
  nft: 'nftables',
  ip: 'iproute2',
  skopeo: 'skopeo',
  runc: 'runc',
  'docker-registry': 'docker-registry',
  conntrack: 'conntrack',
  curl: 'curl',
  openssl: 'openssl',
  zstd: 'zstd',
  pip3: 'python3-pip',
  tcpdump: 'tcpdump',
  tshark: 'tshark',
  'pkcs11-tool': 'opensc',
  'softhsm2-util': 'softhsm2',
  zbarimg: 'zbar-tools',
  'mkfs.fat': 'dosfstools',
  mcopy: 'mtools',
  xorriso: 'xorriso',
  genisoimage: 'genisoimage',
  mkudffs: 'udftools',
  sfdisk: 'fdisk',
  'mkfs.exfat': 'exfatprogs',
  'mount.exfat-fuse': 'exfat-fuse',
  '7z': 'p7zip-full',
} as const;
export type ToolName = keyof typeof PACKAGES;

export interface Tool {
  readonly name: ToolName;
  /** Absolute path of what to run. */
  readonly path: string;
  /** `host`: the machine has it. `cache`: unpacked by us below the user's cache folder, nothing installed. */
  readonly source: 'host' | 'cache';
}

export interface ToolsOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly report?: Report;
  readonly signal?: AbortSignal;
  /** Unpacks even what the host has: to test this very path. */
  readonly ignoreHost?: boolean;
}

/** Folders of programs that an ordinary user of Debian has not on PATH. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Where a program of the host is, also in the system's folders; undefined where it is not. */
export async function findProgram(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  const folders = (env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'));
  for (const folder of [...folders, ...SYSTEM_FOLDERS]) {
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      if ((await stat(path)).isFile()) return path;
    } catch {
      // Not here; the next folder may have it.
    }
  }
  return undefined;
}

/** Below which folder unpacked tools are kept: `$XDG_CACHE_HOME/sallyport/tools`, else `~/.cache/sallyport/tools`. */
export function toolsFolder(env: Readonly<Record<string, string | undefined>>): string {
  const cache = env['XDG_CACHE_HOME']?.startsWith('/') === true ? env['XDG_CACHE_HOME'] : undefined;
  const home = env['HOME']?.startsWith('/') === true ? env['HOME'] : undefined;
  if (cache !== undefined) return join(cache, 'sallyport', 'tools');
  if (home !== undefined) return join(home, '.cache', 'sallyport', 'tools');
  throw systemFault('tool.no-cache');
}

/**
 * The named tools: the host's own, else unpacked from the machine's own Debian sources into a cache. Nothing is
 * installed, no maintainer script runs, no daemon starts, and no right beyond the user's is needed. Two processes may do
 * it at once; one that was killed is begun again. Throws tool.missing, tool.no-cache, tool.fetch.
 */
export async function debianTools<N extends ToolName>(
  names: readonly N[],
  options: ToolsOptions,
): Promise<Readonly<Record<N, Tool>>> {
  const found: Partial<Record<N, Tool>> = {};
  for (const name of names) {
    const path = options.ignoreHost === true ? undefined : await findProgram(name, options.env);
    if (path !== undefined) found[name] = { name, path, source: 'host' };
  }
  let apt: PrivateApt | undefined;
  try {
    for (const name of names) {
      if (found[name] !== undefined) continue;
      // A folder a tool, so that asking for two together and one alone find the same.
      const folder = await folderOf(name, options.env);
      const path = join(folder, 'bin', name);
      if (!(await exists(path))) {
        apt ??= await openApt(name, options);
        await unpack(name, folder, apt, options);
      }
      found[name] = { name, path, source: 'cache' };
    }
  } finally {
    await apt?.close();
  }
  return found as Record<N, Tool>;
}

/** The tool if it can be had without the network: on the host, or unpacked earlier. */
export async function toolAtHand(
  name: ToolName,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Tool | undefined> {
  const path = await findProgram(name, env);
  if (path !== undefined) return { name, path, source: 'host' };
  const cached = join(await folderOf(name, env), 'bin', name);
  return (await exists(cached)) ? { name, path: cached, source: 'cache' } : undefined;
}

/** Whether missing tools can be unpacked on this machine at all. */
export async function canUnpackTools(env: Readonly<Record<string, string | undefined>>): Promise<boolean> {
  return (await findProgram('apt-get', env)) !== undefined && (await findProgram('dpkg-deb', env)) !== undefined;
}

async function folderOf(name: ToolName, env: Readonly<Record<string, string | undefined>>): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  // What is unpacked depends on what the host already has, so another release of it is another set.
  const key = createHash('sha256')
    .update(JSON.stringify(['tools/2', name, process.arch, release]))
    .digest('hex')
    .slice(0, 16);
  return join(toolsFolder(env), `${PACKAGES[name]}-${key}`);
}

/** apt with lists of its own, which are fetched once for all tools that are missing. */
interface PrivateApt {
  /** Where the archives of the last download lie. */
  readonly archives: string;
  call(program: 'apt-get' | 'dpkg-deb', args: readonly string[], what: string): Promise<string>;
  close(): Promise<void>;
}

/** `name` is the tool that is missing, for the fault. */
async function openApt(name: ToolName, options: ToolsOptions): Promise<PrivateApt> {
  const aptGet = await findProgram('apt-get', options.env);
  const dpkgDeb = await findProgram('dpkg-deb', options.env);
  const aptConfig = await findProgram('apt-config', options.env);
  if (aptGet === undefined || dpkgDeb === undefined || aptConfig === undefined) {
    throw systemFault('tool.missing', { where: name, fix: `Install the program '${name}' and run this again.` });
  }
  const tools = toolsFolder(options.env);
  await mkdir(tools, { recursive: true, mode: 0o700 });
  await removeOld(tools);
  const work = temporaryName(join(tools, 'apt'));
  await mkdir(work, { mode: 0o700 });
  const environment = childEnvironment(options.env, {
    network: true,
    also: ['HOME'],
    set: { LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive', APT_CONFIG: join(work, 'apt.conf') },
  });
  const run = async (command: string, args: readonly string[], what: string): Promise<string> => {
    const ended = await runProcess(command, args, {
      env: environment,
      timeout: 10 * 60_000,
      keep: 8 * 1024 * 1024,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    if (ended.code === 0) return ended.stdout;
    throw systemFault('tool.fetch', { where: name, detail: `${what} failed: ${lastWords(ended)}` });
  };
  const close = (): Promise<void> => rm(work, { recursive: true, force: true });
  try {
    await writePrivateApt(work, await run(aptConfig, ['dump'], 'apt-config'));
    const text = `Reading this machine's Debian sources: tools are unpacked into ${tools}, not installed`;
    options.report?.({ type: 'note', level: 'info', text });
    await run(aptGet, ['-q', 'update'], 'apt-get update');
  } catch (error) {
    await close();
    throw error;
  }
  const programs = { 'apt-get': aptGet, 'dpkg-deb': dpkgDeb };
  return { archives: join(work, 'archives'), call: (program, args, what) => run(programs[program], args, what), close };
}

async function unpack(name: ToolName, folder: string, apt: PrivateApt, options: ToolsOptions): Promise<void> {
  const step = `tools.${name}`;
  options.report?.({ type: 'step', step, title: `Unpacking ${PACKAGES[name]}` });
  const work = temporaryName(folder);
  let ok = false;
  try {
    const root = join(work, 'root');
    // Programs that run under another id read what lies here; the cache above it is the user's alone.
    await mkdir(root, { recursive: true, mode: 0o755 });
    await rm(apt.archives, { recursive: true, force: true });
    await mkdir(join(apt.archives, 'partial'), { recursive: true });
    // --reinstall: the package is wanted whole even where dpkg's list says that it is there.
    const pick = ['-q', '-y', '--no-install-recommends', '--reinstall', '--download-only', 'install', PACKAGES[name]];
    await apt.call('apt-get', pick, 'apt-get download');
    for (const archive of (await readdir(apt.archives)).filter((file) => file.endsWith('.deb'))) {
      await apt.call('dpkg-deb', ['-x', join(apt.archives, archive), root], 'dpkg-deb');
    }
    const inside = await programBelow(root, name);
    if (inside === undefined) {
      throw systemFault('tool.fetch', { where: name, detail: `The package ${PACKAGES[name]} holds no such program.` });
    }
    const final = join(folder, 'root');
    const libraries = await libraryFolders(root);
    await mkdir(join(work, 'bin'));
    const wrapper = join(work, 'bin', name);
    const at = (paths: readonly string[]): string => paths.map((path) => `${final}/${path}`).join(':');
    await writeFile(
      wrapper,
      [
        '#!/bin/sh',
        `LD_LIBRARY_PATH=${shellQuote(at(libraries))}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}`,
        // Where Debian keeps the modules of its own Python programs (pip).
        ...((await exists(join(root, PYTHON_MODULES)))
          ? [`export PYTHONPATH=${shellQuote(at([PYTHON_MODULES]))}`]
          : []),
        'export LD_LIBRARY_PATH',
        `exec ${shellQuote(at([inside]))} "$@"`,
        '',
      ].join('\n'),
    );
    await chmod(wrapper, 0o755);
    try {
      await rename(work, folder);
    } catch (error) {
      // Another process was faster; what it made is the same.
      if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'EEXIST') throw error;
    }
    ok = true;
  } finally {
    await rm(work, { recursive: true, force: true });
    options.report?.({ type: 'end', step, title: `${PACKAGES[name]} unpacked`, ok });
  }
}

/** A name that says whose it is, so that what a killed process left can be told from what a living one makes. */
function temporaryName(path: string): string {
  return `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
}

/**
 * The machine's own sources, keyrings, pins and proxies, with state and cache of our own. Hooks of the machine
 * (APT::Update::Post-Invoke…) are left out: they would write outside our folder.
 */
async function writePrivateApt(work: string, dump: string): Promise<void> {
  const kept = dump
    .split('\n')
    .filter((line) => /^(Acquire|Dir::Etc|APT::Architecture|APT::Architectures|APT::Default-Release)\b/.test(line))
    .filter((line) => !/^Dir::Etc::(parts|main)\b/.test(line) && !/^Dir::Etc "/.test(line));
  const etc = /^Dir::Etc "([^"]*)";/m.exec(dump)?.[1] ?? 'etc/apt';
  for (const folder of ['lists/partial', 'archives/partial', 'etc']) {
    await mkdir(join(work, folder), { recursive: true });
  }
  // A copy: its folder is where apt puts the lock of dpkg.
  await copyFile('/var/lib/dpkg/status', join(work, 'status')).catch(() => writeFile(join(work, 'status'), ''));
  const own = [
    `Dir::Etc "/${etc.replace(/^\/+/, '')}";`,
    `Dir::Etc::parts "${work}/etc";`,
    'Dir::Etc::main "/dev/null";',
    `Dir::State "${work}";`,
    `Dir::State::lists "${work}/lists/";`,
    `Dir::State::status "${work}/status";`,
    `Dir::Cache "${work}";`,
    `Dir::Cache::archives "${work}/archives/";`,
    'Dir::Cache::pkgcache "";',
    'Dir::Cache::srcpkgcache "";',
    `Dir::Log "${work}/log";`,
    'APT::Sandbox::User "root";',
    'Acquire::Languages "none";',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";',
    'Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled "false";',
    'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";',
    'Debug::NoLocking "true";',
  ];
  // Proxies may hold a password.
  await writeFile(join(work, 'apt.conf'), `${[...kept, ...own].join('\n')}\n`, { mode: 0o600 });
}

const PYTHON_MODULES = 'usr/lib/python3/dist-packages';

async function programBelow(root: string, name: string): Promise<string | undefined> {
  for (const folder of ['usr/sbin', 'usr/bin', 'sbin', 'bin']) {
    if (await exists(join(root, folder, name))) return `${folder}/${name}`;
  }
  return undefined;
}

async function libraryFolders(root: string): Promise<string[]> {
  const folders: string[] = [];
  for (const base of ['usr/lib', 'lib']) {
    const names = await readdir(join(root, base)).catch(() => []);
    for (const name of names) {
      if (/^[a-z0-9_]+-linux-gnu[a-z0-9]*$/.test(name)) folders.push(`${base}/${name}`);
    }
    if (names.some((name) => name.includes('.so'))) folders.push(base);
  }
  return folders;
}

/** Removes what processes left that were killed while unpacking, once their process is gone. */
async function removeOld(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = /\.(\d+)\.[0-9a-f]{8}\.tmp$/.exec(name)?.[1];
    if (pid === undefined || (await exists(`/proc/${pid}`))) continue;
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
