/** What a confined program has for a file system. Pure: data, and text for a shell. */

/** An unpacked image as the whole file system of a process. */
export interface Root {
  /** Absolute folder; nothing in it is written to. */
  readonly path: string;
  /** Absolute paths inside it that the image declares as volumes: empty and writable. */
  readonly volumes: readonly string[];
  /** Working folder inside it. */
  readonly cwd: string;
  /** As whom it runs. */
  readonly user: { readonly uid: number; readonly gid: number };
  /** A layer in memory lies over it that is thrown away in the end: for images that write to their own files. */
  readonly writable?: boolean;
}

/** Folders of the host that are the toolbox of every program without an image; where they are links, they stay links. */
export const TOOLBOX = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'] as const;

/** Of the host's /etc: how programs are found and linked, and which certificates are public. Nothing about people. */
export const SETTINGS = [
  'alternatives',
  'ca-certificates.conf',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'mime.types',
  'protocols',
  'services',
  'ssl/certs',
  'ssl/openssl.cnf',
  'timezone',
] as const;

/** Where a program without an image is at home: empty, in memory. */
export const HOME = '/home/user';

/** Empty folders in memory: of a program without an image, and of one with. */
export const TEMPORARY = ['/tmp', '/var/tmp', '/run', HOME] as const;
export const IMAGE_TEMPORARY = ['/tmp', '/var/tmp', '/run'] as const;

/** Folders that a process in an image expects; they must be there before it is made read-only. */
export const IMAGE_FOLDERS = ['dev', 'proc', 'etc'] as const;

/** /etc/passwd and /etc/group of the toolbox. */
export function peopleFiles(): Readonly<Record<'passwd' | 'group', string>> {
  return {
    passwd: [
      `root:x:0:0:root:${HOME}:/bin/sh`,
      `user:x:1000:1000:user:${HOME}:/bin/sh`,
      'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
      '',
    ].join('\n'),
    group: ['root:x:0:', 'tty:x:5:', 'user:x:1000:', 'nogroup:x:65534:', ''].join('\n'),
  };
}

/** Names come from the two files that the enclave writes, and from its own server. */
export const NAME_SWITCH = 'passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n';

/**
 * What stands as the first process of a program's PID namespace: it hands on signals, collects orphans, and ends with
 * the program's own code. `$@` is the program.
 */
export const INIT = String.raw`exec 3<&0
"$@" <&3 3<&- &
child=$!
trap 'kill -TERM "$child" 2>/dev/null' TERM INT HUP
while :; do wait "$child"; code=$?; kill -0 "$child" 2>/dev/null || break; done
exit "$code"`;

/** Which of the paths lie in none of the others: an outer one brings the inner ones with it. */
export function outermost(paths: readonly string[]): string[] {
  const unique = [...new Set(paths)];
  return unique.filter((path) => !unique.some((other) => other !== path && isBelow(path, other)));
}

export function isBelow(path: string, folder: string): boolean {
  return folder === '/' ? path !== '/' : path.startsWith(`${folder}/`);
}
