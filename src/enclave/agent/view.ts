/**
 * What confined programs see of the machine. Everything that is shown is first bound to a place of the agent's own, by
 * a descriptor that was opened part by part; a program that swaps a folder for a link meanwhile changes nothing.
 */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { openBeneath } from '../io/beneath.ts';
import type { Shown } from '../runtime-spec.ts';
import {
  IMAGE_TEMPORARY,
  isBelow,
  NAME_SWITCH,
  outermost,
  peopleFiles,
  type Root,
  SETTINGS,
  TEMPORARY,
  TOOLBOX,
} from '../surroundings.ts';

const BASE = '/run/sallyport';
/** Where the machine's /run is, of which programs see nothing by itself. */
const HOST_RUN = `${BASE}/host-run`;
const ETC = `${BASE}/etc`;
export const CGROUPS = { from: '/sys/fs/cgroup', moved: `${BASE}/cgroup` } as const;

/** Prepares the agent's own mounts: an empty /run, and cgroups that a runtime cannot make any in. `$@` are their names. */
const PREPARE = String.raw`set -e
exec 3</run
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run
mkdir -p ${HOST_RUN} ${ETC} ${CGROUPS.moved} ${BASE}/v ${BASE}/p ${BASE}/runc
mount -c --rbind /proc/self/fd/3 ${HOST_RUN}
exec 3<&-
if ! grep -q ' - cgroup' /proc/self/mountinfo; then
  # A runtime refuses a machine without any. This one holds nothing, and nothing can be made in it.
  [ -d ${CGROUPS.from} ] || { mount -t tmpfs -o mode=755 tmpfs /sys; mkdir -p ${CGROUPS.from}; }
  unshare --cgroup -- mount -t cgroup2 -o ro,nosuid,nodev,noexec cgroup2 ${CGROUPS.from}
elif [ -d ${CGROUPS.from} ]; then
  mount --rbind ${CGROUPS.from} ${CGROUPS.moved}
  if [ -e ${CGROUPS.from}/cgroup.controllers ]; then
    mount -o remount,bind,ro,nosuid,nodev,noexec ${CGROUPS.from}
  elif [ "$#" -gt 0 ]; then
    mount -t tmpfs -o mode=755,nosuid,nodev,noexec tmpfs ${CGROUPS.from}
    cd ${CGROUPS.from}; mkdir -- "$@"; cd /
    mount -o remount,bind,ro,nosuid,nodev,noexec ${CGROUPS.from}
  fi
fi
`;

export interface Prepared {
  /** Folder that becomes `/`, and whether it may be written to. */
  readonly rootfs: string;
  readonly writableRoot: boolean;
  readonly shown: readonly Shown[];
  readonly temporary: readonly string[];
  /** Writable folders, where the agent has them. */
  readonly writable: readonly string[];
}

export interface ViewRequest {
  readonly readable: readonly string[];
  readonly writable: readonly string[];
  /** What stands for things of the host; not where the program is shown something real. */
  readonly decoys: readonly Shown[];
  readonly root?: Root;
  /** Whose writable folders must be; undefined leaves them whose they are. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Of a throw-away layer: bytes, and whose its folders are. */
  readonly layer: { readonly size: number; readonly uid: number; readonly gid: number };
}

/** Where something is bound, and what it is. */
interface Staged {
  readonly place: string;
  readonly ino: bigint;
}

export class View {
  readonly #roots: readonly string[];
  readonly #staged = new Map<string, Staged>();
  #counter = 0;

  private constructor(roots: readonly string[]) {
    this.#roots = roots;
  }

  /** `roots`: folders that programs may write to, wholly or in part. `files`: further ones of /etc, by name. */
  static async open(roots: readonly string[], files: Readonly<Record<string, string | Uint8Array>>): Promise<View> {
    const groups = list(CGROUPS.from);
    await script(PREPARE, groups, []);
    for (const [name, text] of Object.entries({ ...peopleFiles(), 'nsswitch.conf': NAME_SWITCH, ...files })) {
      mkdirSync(dirname(join(ETC, name)), { recursive: true });
      writeFileSync(join(ETC, name), text);
    }
    const folders: string[] = [];
    for (const name of SETTINGS) {
      const source = join('/etc', name);
      const target = join(ETC, name);
      // What the caller has written stands in its place.
      if (!existsSync(source) || existsSync(target)) continue;
      mkdirSync(dirname(target), { recursive: true });
      if (statSync(source).isDirectory()) {
        mkdirSync(target);
        folders.push(name);
      } else {
        copyFileSync(source, target);
      }
    }
    const bind = `for name; do mount --rbind "/etc/$name" "${ETC}/$name"; done`;
    if (folders.length > 0) await script(bind, folders, []);
    return new View(roots);
  }

  /** Makes a root folder for one program, with a place to mount everything that it sees. Throws where that is not there. */
  async prepare(number: number, request: ViewRequest): Promise<Prepared> {
    const { root } = request;
    const folder = this.#folder(number);
    mkdirSync(folder);
    const readable = outermost(request.readable).filter(
      (path) => root !== undefined || !TOOLBOX.some((tools) => path === tools || isBelow(path, tools)),
    );
    const writable = outermost(request.writable);
    for (const path of writable) {
      if (!this.#isOurs(path)) {
        throw new Error(`${path} lies in no folder that programs may write to`);
      }
    }
    const toolbox = TOOLBOX.filter((path) => root === undefined && existsSync(path));
    const wanted = [...readable, ...writable, ...(root === undefined ? [] : [root.path])];
    await this.#stage([...toolbox.filter((path) => !isLink(path)), ...wanted]);
    const own = writable.map((path) => this.#at(path));
    if (request.owner !== undefined) {
      const { owner } = request;
      // What programs leave to one another is theirs as well, where it is only shown.
      const left = readable.filter((path) => this.#isOurs(path)).map((path) => this.#at(path));
      await give([...own, ...left], owner);
      for (const path of readable) if (!this.#isOurs(path)) mustBeOpen(path, this.#at(path));
    }
    const temporary = root === undefined ? TEMPORARY : [...IMAGE_TEMPORARY, ...root.volumes];
    const shown: Shown[] = [
      ...readable.map((path) => ({ source: this.#at(path), path, writable: false })),
      ...writable.map((path) => ({ source: this.#at(path), path, writable: true })),
    ];
    const real = [...readable, ...writable];
    shown.push(...request.decoys.filter(({ path }) => !real.some((other) => path === other || isBelow(path, other))));
    if (root !== undefined) {
      const names = ['hosts', 'resolv.conf'];
      shown.push(...names.map((name) => ({ source: `${ETC}/${name}`, path: `/etc/${name}`, writable: false })));
      const rootfs =
        root.writable === true ? await overlay(folder, this.#at(root.path), request.layer) : this.#at(root.path);
      return { rootfs, writableRoot: root.writable === true, shown, temporary, writable: own };
    }
    shown.push({ source: ETC, path: '/etc', writable: false });
    const rootfs = join(folder, 'root');
    mkdirSync(rootfs);
    for (const path of toolbox) {
      if (isLink(path)) symlinkSync(readlinkSync(path), join(rootfs, path));
      else shown.push({ source: this.#at(path), path, writable: false });
    }
    for (const path of ['/proc', '/dev', ...temporary]) mkdirSync(join(rootfs, path), { recursive: true });
    // Where programs look for the sockets of daemons, as the machine has it.
    symlinkSync('/run', join(rootfs, 'var/run'));
    // The runtime gives what it mounts there the mode of the place.
    for (const path of temporary) chmodSync(join(rootfs, path), 0o1777);
    for (const { path, source } of shown) {
      // Below something else that is shown, or is made in memory, the place is there or is made by the runtime. /etc is
      // ours, and read-only for it.
      const ofEtc = isBelow(path, '/etc');
      if (!ofEtc && [...temporary, ...shown.map((one) => one.path)].some((other) => isBelow(path, other))) continue;
      const place = ofEtc ? join(ETC, path.slice('/etc'.length)) : join(rootfs, path);
      if (existsSync(place)) continue;
      mkdirSync(dirname(place), { recursive: true });
      if (statSync(source).isDirectory()) mkdirSync(place, { recursive: true });
      else writeFileSync(place, '');
    }
    return { rootfs, writableRoot: false, shown, temporary, writable: own };
  }

  /** Folder of one program, below which its bundle is written. */
  #folder(number: number): string {
    return `${BASE}/p/${number}`;
  }

  bundle(number: number): string {
    return this.#folder(number);
  }

  /** Clears away what `prepare` made. */
  async release(number: number): Promise<void> {
    const folder = this.#folder(number);
    if (existsSync(join(folder, 'layer'))) {
      await script('umount -l "$1/root" && umount -l "$1/layer"', [folder], []).catch(() => undefined);
      // Never through a mount that is still there.
      if (list(join(folder, 'root')).length > 0) return;
    }
    rmSync(folder, { recursive: true, force: true });
  }

  #isOurs(path: string): boolean {
    return this.#roots.some((one) => path === one || isBelow(path, one));
  }

  #at(path: string): string {
    const staged = this.#staged.get(path);
    if (staged === undefined) throw new Error(`${path} is not staged`);
    return staged.place;
  }

  async #stage(paths: readonly string[]): Promise<void> {
    const missing: string[] = [];
    const files: number[] = [];
    const places: string[] = [];
    const found: bigint[] = [];
    try {
      for (const path of new Set(paths)) {
        const known = this.#staged.get(path);
        if (known !== undefined && !this.#isOurs(path)) continue;
        const file = this.#open(path);
        const { ino } = fstatSync(file, { bigint: true });
        // Where programs write, something else may stand there by now.
        if (known?.ino === ino) {
          closeSync(file);
          continue;
        }
        missing.push(path);
        files.push(file);
        found.push(ino);
        const place = `${BASE}/v/${this.#counter++}`;
        if (fstatSync(file).isDirectory()) mkdirSync(place);
        else writeFileSync(place, '');
        places.push(place);
      }
      if (missing.length === 0) return;
      const bind = 'n=3; for place; do mount -c --rbind "/proc/self/fd/$n" "$place"; n=$((n + 1)); done';
      await script(`set -e; ${bind}`, places, files);
      for (const [index, path] of missing.entries()) {
        this.#staged.set(path, { place: places[index] ?? '', ino: found[index] ?? 0n });
      }
    } finally {
      for (const file of files) closeSync(file);
    }
  }

  /** Where programs can write, no link is followed; elsewhere the machine's own links are. */
  #open(path: string): number {
    const root = this.#roots.find((one) => path === one || isBelow(path, one));
    if (root !== undefined) return openBeneath(moved(root), moved(path));
    const real = realpathSync(moved(path));
    const inside = this.#roots.map(moved).find((one) => real === one || isBelow(real, one));
    return openBeneath(inside ?? '/', real);
  }
}

/** /run is another one here. */
function moved(path: string): string {
  return path === '/run' || isBelow(path, '/run') ? HOST_RUN + path.slice('/run'.length) : path;
}

/** Foreign programs are nobody to the owner of a tool, so it must be open to everybody. */
function mustBeOpen(path: string, place: string): void {
  const stat = statSync(place);
  const wanted = stat.isDirectory() ? 0o5 : 0o4;
  if ((stat.mode & wanted) === wanted) return;
  throw new Error(`${path} is closed to other users, and foreign programs run as one: chmod -R o+rX it`);
}

/** The folders and all in them become the program's: it runs under an id that owned nothing before. */
async function give(folders: readonly string[], { uid, gid }: { uid: number; gid: number }): Promise<void> {
  const others = folders.filter((folder) => statSync(folder).uid !== uid);
  if (others.length > 0) await script('chown -hR -- "$@"', [`${uid}:${gid}`, ...others], []);
}

/** A layer in memory over a root that stays as it is (overlayfs in a user namespace: Linux 5.11). */
async function overlay(
  folder: string,
  lower: string,
  { size, uid, gid }: { size: number; uid: number; gid: number },
): Promise<string> {
  const make = String.raw`set -e
mkdir "$1/layer" "$1/root"
mount -t tmpfs -o "mode=755,nosuid,nodev,size=$2" tmpfs "$1/layer"
mkdir "$1/layer/upper" "$1/layer/work"
chown "$3" "$1/layer/upper"
mount -t overlay -o "nosuid,nodev,userxattr,lowerdir=$4,upperdir=$1/layer/upper,workdir=$1/layer/work" overlay "$1/root"`;
  await script(make, [folder, String(size), `${uid}:${gid}`, lower], []);
  return join(folder, 'root');
}

function isLink(path: string): boolean {
  return lstatSync(path).isSymbolicLink();
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Runs a script of the shell with arguments; `files` are its descriptors from 3 on. */
function script(text: string, args: readonly string[], files: readonly number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', text, '-', ...args], { stdio: ['ignore', 'ignore', 'pipe', ...files] });
    let words = '';
    child.stderr?.on('data', (piece: Buffer) => (words = (words + piece.toString()).slice(-4096)));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(words.trim() || `exit ${code}`));
    });
  });
}
