import { errorCode, errorMessage, type Files, printable } from '#kernel';

/** One thing that an import station must be, and whether it is. What could not be found out is `unknown`, never `ok`. */
export interface StationCheck {
  readonly name: string;
  readonly state: 'ok' | 'bad' | 'unknown';
  readonly found: string;
  /** What it costs where it is not so. */
  readonly costs: string;
  readonly fix: string;
}

interface Answer {
  readonly state: StationCheck['state'];
  readonly found: string;
}

const ok = (found: string): Answer => ({ state: 'ok', found });
const bad = (found: string): Answer => ({ state: 'bad', found });
const unknown = (found: string): Answer => ({ state: 'unknown', found });

/** Programs that mount what is plugged in, by the name of their process (15 bytes at most). */
const MOUNTERS = ['udisksd', 'udiskie', 'gvfs-udisks2-vo', 'automount', 'usbmount', 'devmon', 'udevil', 'autofs'];
const UNITS = ['udisks2.service', 'autofs.service', 'usbmount@.service', 'devmon@.service'];
const UNIT_FOLDERS = ['/etc/systemd/system', '/run/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system'];
const RULE_FOLDERS = ['/etc/udev/rules.d', '/run/udev/rules.d', '/usr/lib/udev/rules.d', '/lib/udev/rules.d'];
const MODPROBE_FOLDERS = ['/etc/modprobe.d', '/run/modprobe.d', '/usr/lib/modprobe.d', '/lib/modprobe.d'];
/** Drivers of what a stick may say that it is. */
const DEVICES = {
  'keyboards and mice': ['usbhid', 'hid_generic', 'hid_multitouch'],
  'network over USB': ['usbnet', 'cdc_ether', 'cdc_ncm', 'cdc_mbim', 'rndis_host', 'r8152', 'ax88179_178a', 'ipheth'],
  'modems and serial lines': ['cdc_acm', 'cdc_wdm', 'usbserial', 'option', 'qcserial'],
  'radio, sound and pictures': ['btusb', 'snd_usb_audio', 'uvcvideo'],
  'direct memory access': ['thunderbolt', 'firewire_core', 'firewire_ohci', 'firewire_sbp2'],
} as const;
/** Where drivers for such devices show themselves in /sys/bus. */
const BUSES = ['usb', 'hid', 'bluetooth', 'thunderbolt', 'firewire'];
/** File systems that a medium may hold and that the station itself does not need. */
const FILE_SYSTEMS = [
  ...['vfat', 'msdos', 'exfat', 'ntfs', 'ntfs3', 'isofs', 'udf', 'hfs', 'hfsplus', 'f2fs', 'nilfs2', 'jfs', 'reiserfs'],
  ...['minix', 'affs', 'adfs', 'befs', 'bfs', 'efs', 'hpfs', 'omfs', 'qnx4', 'qnx6', 'romfs', 'cramfs', 'sysv', 'ufs'],
];
const SMALL = 1024 * 1024;

/** A machine, or a folder that is laid out as one. */
class Machine {
  readonly #files: Pick<Files, 'read' | 'list'>;
  readonly #root: string;

  constructor(files: Pick<Files, 'read' | 'list'>, root: string) {
    this.#files = files;
    this.#root = root;
  }

  /** Undefined where there is none. What may not be read is thrown: then it is not known. */
  async text(path: string, limit = SMALL): Promise<string | undefined> {
    try {
      return Buffer.from(await this.#files.read(this.#root + path, limit)).toString('utf8');
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  async names(path: string): Promise<readonly string[] | undefined> {
    try {
      return (await this.#files.list(this.#root + path)).map(({ name }) => name);
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  /** Files of configuration in these folders; of two with one name the first folder's holds, as everywhere in Linux. */
  async configuration(folders: readonly string[], ending: string): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const folder of folders) {
      for (const name of (await this.names(folder)) ?? []) {
        if (!name.endsWith(ending) || found.has(name)) continue;
        found.set(name, (await this.text(`${folder}/${name}`)) ?? '');
      }
    }
    return found;
  }

  /** Names of running programs. */
  async processes(): Promise<Set<string>> {
    const running = new Set<string>();
    const numbers = ((await this.names('/proc')) ?? []).filter((name) => /^\d+$/.test(name));
    if (numbers.length === 0) throw new Error('/proc shows no process');
    for (const number of numbers) {
      // It may have ended meanwhile, which is ESRCH.
      const name = await this.text(`/proc/${number}/comm`).catch((error: unknown) => {
        if (errorCode(error) !== 'ESRCH') throw error;
        return undefined;
      });
      if (name !== undefined) running.add(name.trim());
    }
    return running;
  }

  async mounts(): Promise<{ source: string; target: string; type: string; options: readonly string[] }[]> {
    const text = await this.text('/proc/self/mounts');
    if (text === undefined) throw new Error('/proc/self/mounts is not there');
    const plain = (word: string): string =>
      word.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' '))
      .map(([source = '', target = '', type = '', options = '']) => ({
        source: plain(source),
        target: plain(target),
        type,
        options: options.split(','),
      }));
  }
}

/**
 * Checks the machine on which hostile media are read: nothing mounts them by itself, a stick is nothing but a stick, the
 * kernel has no driver for what is on it, nothing of it runs, is dumped or is swapped out, and no network is there. `root`
 * is '' for this machine. `home` is where the side is kept. Everything is read from files; nothing is changed.
 */
export async function checkStation(
  files: Pick<Files, 'read' | 'list'>,
  root: string,
  home: string,
  release: string,
): Promise<StationCheck[]> {
  const machine = new Machine(files, root);
  const checks: StationCheck[] = [];
  const check = async (name: string, costs: string, fix: string, answer: () => Promise<Answer>): Promise<void> => {
    const { state, found } = await answer().catch((error: unknown) => unknown(errorMessage(error)));
    checks.push({
      name,
      state,
      found: printable(found).slice(0, 500),
      costs: state === 'ok' ? '' : costs,
      fix: state === 'ok' ? '' : fix,
    });
  };
  const MOUNTS = 'the kernel parses a file system that nobody has judged';

  await check(
    'automount by programs',
    MOUNTS,
    "Remove them, or 'systemctl mask --now udisks2 autofs'; use no desktop session on the station.",
    () => mounters(machine),
  );
  await check(
    'automount by udev',
    MOUNTS,
    'Remove these rules, or replace them by empty files in /etc/udev/rules.d.',
    () => rules(machine),
  );
  await check(
    'automount by systemd',
    MOUNTS,
    "Remove these entries and units, or 'systemctl mask' them; in /etc/fstab say noauto.",
    () => units(machine),
  );
  await check('removable media', MOUNTS, "Unmount it; 'sallyport admit' reads the device itself.", () =>
    removable(machine),
  );
  await check(
    'USB devices',
    'a stick that says it is a keyboard types, one that says it is a network card is one',
    'Run usbguard with ImplicitPolicyTarget=block and rules for your own devices and mass storage (08:*:*) alone; or boot with usbcore.authorized_default=0.',
    () => usb(machine),
  );
  for (const [name, modules] of Object.entries(DEVICES)) {
    await check(
      `drivers: ${name}`,
      'what a stick says that it is gets its driver',
      "For each write 'install NAME /bin/false' into /etc/modprobe.d/station.conf and restart.",
      () => drivers(machine, modules, BUSES, release),
    );
  }
  await check(
    'drivers: file systems',
    'a mount by mistake parses what nobody has judged, in the kernel',
    "For each write 'install NAME /bin/false' into /etc/modprobe.d/station.conf and restart; mount the EFI partition for updates only.",
    () => fileSystems(machine, release),
  );
  await check(
    'Thunderbolt',
    'a device reads and writes the memory of the station',
    "Set the security level to 'usbonly' or 'dponly' in the firmware, or switch the ports off there.",
    () => thunderbolt(machine),
  );
  await check(
    'memory dumps',
    'what was in memory is handed to another program, or lies in a file',
    "Write 'kernel.core_pattern=|/bin/false' and 'fs.suid_dumpable=0' into /etc/sysctl.d/station.conf.",
    () => dumps(machine),
  );
  await check(
    'swap',
    'unjudged bytes are written where nobody looks',
    "Run 'swapoff -a' and remove swap from /etc/fstab.",
    () => swap(machine),
  );
  await check(
    'quarantine',
    'what lies in quarantine could be run, or be a device',
    'Put the home on a file system that is mounted with noexec,nosuid,nodev.',
    () => quarantine(machine, home),
  );
  await check(
    'network',
    'what gets loose on the station can go on',
    "Take the cards out or the cables off; 'ip link set NAME down' for each, and no radio.",
    () => network(machine),
  );
  return checks;
}

/** An empty unit file, or one that is a link to /dev/null, is a masked one (systemd.unit(5)). */
async function isMasked(machine: Machine, unit: string): Promise<boolean | undefined> {
  for (const folder of UNIT_FOLDERS) {
    const text = await machine.text(`${folder}/${unit}`);
    if (text !== undefined) return text.trim() === '';
  }
  return undefined;
}

async function mounters(machine: Machine): Promise<Answer> {
  const running = [...(await machine.processes())].filter((name) => MOUNTERS.includes(name));
  if (running.length > 0) return bad(`running: ${running.join(', ')}`);
  const installed: string[] = [];
  for (const unit of UNITS) if ((await isMasked(machine, unit)) === false) installed.push(unit);
  return installed.length > 0
    ? bad(`installed and not masked: ${installed.join(', ')}`)
    : ok('none runs, none is installed or all are masked');
}

async function rules(machine: Machine): Promise<Answer> {
  const found = await machine.configuration(RULE_FOLDERS, '.rules');
  if (found.size === 0) return unknown('no rules of udev are there');
  const mounting = [...found].filter(([, text]) =>
    text
      .replaceAll('\\\n', ' ')
      .split('\n')
      .some(
        (line) =>
          !/^\s*#/.test(line) &&
          /(?:RUN|PROGRAM|SYSTEMD_WANTS)\b[^"]*"[^"]*(?:\b(?:systemd-mount|udisksctl|pmount|usbmount|automount)\b|\bmount(?:@|\s|\.sh))/.test(
            line,
          ),
      ),
  );
  return mounting.length > 0
    ? bad(`rules that mount: ${mounting.map(([name]) => name).join(', ')}`)
    : ok(`${found.size} files, none of which mounts`);
}

async function units(machine: Machine): Promise<Answer> {
  const found: string[] = [];
  const fstab = await machine.text('/etc/fstab');
  let folders = 0;
  for (const line of (fstab ?? '').split('\n')) {
    const [source = '', target = '', type = '', options = ''] = line.trim().split(/\s+/);
    if (source === '' || source.startsWith('#')) continue;
    const words = options.split(',');
    const foreign = ['auto', 'iso9660', 'udf', 'ntfs', 'ntfs3', 'exfat'].includes(type);
    if (words.includes('x-systemd.automount') || (foreign && !words.includes('noauto')))
      found.push(`${target} in /etc/fstab`);
  }
  const seen = new Set<string>();
  for (const folder of UNIT_FOLDERS) {
    const names = await machine.names(folder);
    if (names !== undefined) folders += 1;
    for (const name of names ?? []) {
      // The one that every system has, for a file system without a device.
      if (!name.endsWith('.automount') || name === 'proc-sys-fs-binfmt_misc.automount' || seen.has(name)) continue;
      seen.add(name);
      if ((await machine.text(`${folder}/${name}`))?.trim() !== '') found.push(name);
    }
  }
  if (found.length > 0) return bad(found.join(', '));
  return fstab === undefined && folders === 0
    ? unknown('neither /etc/fstab nor a folder of units is there')
    : ok('no automount unit, no such entry in /etc/fstab');
}

async function removable(machine: Machine): Promise<Answer> {
  const disks = await machine.names('/sys/block');
  if (disks === undefined) return unknown('/sys/block is not there');
  const mounts = await machine.mounts();
  const found: string[] = [];
  for (const disk of disks) {
    if ((await machine.text(`/sys/block/${disk}/removable`))?.trim() !== '1') continue;
    const its = new RegExp(`^/dev/${disk}(?:p?\\d+)?$`);
    for (const { source, target } of mounts) if (its.test(source)) found.push(`${source} on ${target}`);
  }
  return found.length > 0 ? bad(`mounted: ${found.join(', ')}`) : ok('none is mounted');
}

async function usb(machine: Machine): Promise<Answer> {
  if ((await machine.names('/sys/bus')) === undefined) return unknown('/sys/bus is not there');
  const buses = ((await machine.names('/sys/bus/usb/devices')) ?? []).filter((name) => /^usb\d+$/.test(name));
  if (buses.length === 0) return ok('no USB');
  const open: string[] = [];
  for (const bus of buses) {
    const value = (await machine.text(`/sys/bus/usb/devices/${bus}/authorized_default`))?.trim();
    if (value === undefined) return unknown(`it is not said whether ${bus} lets devices in`);
    // 2: only what is built in (kernel documentation, usb/authorization).
    if (value !== '0' && value !== '2') open.push(bus);
  }
  if (open.length === 0) return ok('no bus lets a new device in by itself');
  const policy = await usbguard(machine);
  return policy ?? bad(`${open.join(', ')} let every device in, and usbguard does not run`);
}

/** Undefined where usbguard decides nothing. */
async function usbguard(machine: Machine): Promise<Answer | undefined> {
  if (!(await machine.processes()).has('usbguard-daemon')) return undefined;
  const configuration = await machine.text('/etc/usbguard/usbguard-daemon.conf');
  if (configuration === undefined) return unknown('usbguard runs, and its configuration is not there');
  const setting = (name: string): string =>
    new RegExp(`^\\s*${name}\\s*=\\s*(\\S+)`, 'm').exec(configuration)?.[1]?.toLowerCase() ?? '';
  const target = setting('ImplicitPolicyTarget');
  if (target !== 'block' && target !== 'reject')
    return bad(`usbguard lets in what no rule names: ${target || 'unset'}`);
  if (setting('InsertedDevicePolicy') === 'allow') return bad('usbguard lets in whatever is inserted');
  const policy = (await machine.text('/etc/usbguard/rules.conf')) ?? '';
  const wide = policy
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('allow'))
    // A rule for one device names it by serial number or hash; any other must be for mass storage alone.
    .filter((line) => !/\b(?:serial "[^"]+"|hash "[^"]+"|parent-hash "[^"]+")/.test(line))
    .filter((line) => !/with-interface (?:equals )?\{?\s*(?:08:[0-9a-f*]{2}:[0-9a-f*]{2}\s*)+\}?\s*$/i.test(line));
  return wide.length > 0
    ? bad(`usbguard lets in more than mass storage: ${wide[0]}`)
    : ok('usbguard blocks what its rules do not name');
}

/** Which of these modules are there or may still be loaded, and whether it is known what is built in. */
async function loadable(
  machine: Machine,
  modules: readonly string[],
  release: string,
): Promise<{ there: string[]; allowed: string[]; builtinKnown: boolean } | undefined> {
  const listed = await machine.names('/sys/module');
  if (listed === undefined) return undefined;
  const namesIn = (text: string): Set<string> =>
    new Set([...text.matchAll(/([\w-]+)\.ko/g)].map((match) => match[1]!.replaceAll('-', '_')));
  const builtin = await machine.text(`/lib/modules/${release}/modules.builtin`, 16 * SMALL);
  const fixed = namesIn(builtin ?? '');
  const there = modules.filter((name) => listed.includes(name) || fixed.has(name));
  const found = { there, allowed: [], builtinKnown: builtin !== undefined };
  // A kernel without modules, or one that takes no more of them.
  if ((await machine.text('/proc/version')) === undefined) return undefined;
  if ((await machine.text('/proc/modules', 16 * SMALL)) === undefined) return found;
  if ((await machine.text('/proc/sys/kernel/modules_disabled'))?.trim() === '1') return found;
  const list = await machine.text(`/lib/modules/${release}/modules.dep`, 64 * SMALL);
  if (list === undefined) return undefined;
  const available = namesIn(list);
  const configured = [...(await machine.configuration(MODPROBE_FOLDERS, '.conf')).values()].join('\n');
  const off = new Set(
    [...configured.matchAll(/^\s*install\s+([\w-]+)\s+\/(?:usr\/)?bin\/(?:false|true)\s*$/gm)].map((match) =>
      match[1]!.replaceAll('-', '_'),
    ),
  );
  const allowed = modules.filter((name) => !there.includes(name) && available.has(name) && !off.has(name));
  return { ...found, allowed };
}

/** `buses`: where what is built in shows itself, if nothing else says so. */
async function drivers(
  machine: Machine,
  modules: readonly string[],
  buses: readonly string[],
  release: string,
): Promise<Answer> {
  const found = await loadable(machine, modules, release);
  if (found === undefined) return unknown('it cannot be told which modules this kernel may load');
  const { there, allowed, builtinKnown } = found;
  const words = [
    ...(there.length > 0 ? [`there: ${there.join(', ')}`] : []),
    ...(allowed.length > 0 ? [`may be loaded: ${allowed.join(', ')}`] : []),
  ];
  if (words.length > 0) return bad(words.join('; '));
  if (builtinKnown) return ok('none is there, none may be loaded');
  const seen = (await machine.names('/sys/bus')) ?? buses;
  const present = buses.filter((bus) => seen.includes(bus));
  return present.length === 0
    ? ok('none may be loaded, and the kernel has no bus for them')
    : unknown(`none may be loaded; it cannot be told what is built in for ${present.join(', ')}`);
}

async function fileSystems(machine: Machine, release: string): Promise<Answer> {
  const known = await machine.text('/proc/filesystems');
  if (known === undefined) return unknown('/proc/filesystems is not there');
  const there = known.split('\n').map((line) => line.replace(/^nodev/, '').trim());
  // The module of iso9660 is called isofs.
  const found = FILE_SYSTEMS.filter((name) => there.includes(name === 'isofs' ? 'iso9660' : name));
  return found.length > 0 ? bad(`there: ${found.join(', ')}`) : drivers(machine, FILE_SYSTEMS, [], release);
}

async function thunderbolt(machine: Machine): Promise<Answer> {
  if ((await machine.names('/sys/bus')) === undefined) return unknown('/sys/bus is not there');
  const domains = ((await machine.names('/sys/bus/thunderbolt/devices')) ?? []).filter((name) =>
    /^domain\d+$/.test(name),
  );
  const open: string[] = [];
  for (const domain of domains) {
    const level = (await machine.text(`/sys/bus/thunderbolt/devices/${domain}/security`))?.trim();
    if (level === undefined) return unknown(`the security level of ${domain} is not said`);
    if (level !== 'usbonly' && level !== 'dponly' && level !== 'nopcie') open.push(`${domain}: ${level}`);
  }
  return open.length > 0
    ? bad(open.join(', '))
    : ok(domains.length === 0 ? 'no port' : 'no PCI Express over its ports');
}

async function dumps(machine: Machine): Promise<Answer> {
  const pattern = (await machine.text('/proc/sys/kernel/core_pattern'))?.trim();
  if (pattern === undefined) return unknown('/proc/sys/kernel/core_pattern is not there');
  if (!/^\|\/(?:usr\/)?bin\/(?:false|true)$/.test(pattern))
    return bad(`kernel.core_pattern is ${JSON.stringify(pattern)}`);
  const setuid = (await machine.text('/proc/sys/fs/suid_dumpable'))?.trim();
  return setuid === '0' ? ok('none is written') : bad(`fs.suid_dumpable is ${setuid ?? 'not there'}`);
}

async function swap(machine: Machine): Promise<Answer> {
  const text = await machine.text('/proc/swaps');
  if (text === undefined) return unknown('/proc/swaps is not there');
  const devices = text
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/)[0] ?? '')
    // In memory.
    .filter((device) => device !== '' && !/^\/dev\/zram\d+$/.test(device));
  if (devices.length === 0) return ok('none');
  return devices.every((device) => /^\/dev\/(?:dm-|mapper\/)/.test(device))
    ? unknown(`${devices.join(', ')}: it cannot be told whether it is encrypted with a key that dies`)
    : bad(devices.join(', '));
}

async function quarantine(machine: Machine, home: string): Promise<Answer> {
  const [mount] = (await machine.mounts())
    .filter(({ target }) => home === target || home.startsWith(target === '/' ? '/' : `${target}/`))
    .reverse()
    .sort((a, b) => b.target.length - a.target.length);
  if (mount === undefined) return unknown(`it is not known what ${home} lies on`);
  const missing = ['noexec', 'nosuid', 'nodev'].filter((word) => !mount.options.includes(word));
  return missing.length > 0
    ? bad(`${home} lies on ${mount.target}, which is mounted without ${missing.join(', ')}`)
    : ok(`${mount.target} is mounted with noexec, nosuid, nodev`);
}

async function network(machine: Machine): Promise<Answer> {
  const names = await machine.names('/sys/class/net');
  if (names === undefined) return unknown('/sys/class/net is not there');
  const up: string[] = [];
  for (const name of names) {
    if (name === 'lo') continue;
    const flags = (await machine.text(`/sys/class/net/${name}/flags`))?.trim();
    // Files that are no links (bonding_masters) have none.
    if (flags === undefined) continue;
    if ((Number.parseInt(flags, 16) & 1) !== 0) up.push(name);
    else if ((await machine.names(`/sys/class/net/${name}/phy80211`)) !== undefined) up.push(`${name} (radio)`);
  }
  return up.length > 0 ? bad(`up: ${up.join(', ')}`) : ok('no link is up');
}
