import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Files } from '#kernel';
import { checkStation } from './station.ts';

const RELEASE = '6.12.0-test';
const HOME = '/srv/side';

/** A station as it should be: files by path; undefined removes one, an Error is what reading it throws. */
const station: Readonly<Record<string, string>> = {
  '/proc/1/comm': 'systemd\n',
  '/proc/77/comm': 'usbguard-daemon\n',
  '/proc/version': 'Linux',
  '/proc/modules': 'xfs 1 1 - Live 0x0\n',
  '/proc/filesystems': 'nodev\tsysfs\n\text4\n\txfs\n',
  '/proc/swaps': 'Filename\tType\tSize\n/dev/zram0\tpartition\t1\n',
  '/proc/self/mounts':
    '/dev/sda2 / ext4 rw 0 0\n/dev/sda3 /srv ext4 rw,noexec,nosuid,nodev 0 0\n/dev/sda4 /srvother ext4 rw 0 0\n',
  '/proc/sys/kernel/core_pattern': '|/bin/false\n',
  '/proc/sys/fs/suid_dumpable': '0\n',
  '/proc/sys/kernel/modules_disabled': '0\n',
  '/etc/fstab': '# comment\nUUID=1 / ext4 defaults 0 1\n/dev/sr0 /media/cdrom iso9660 ro,noauto 0 0\n',
  '/etc/systemd/system/udisks2.service': '',
  '/usr/lib/systemd/system/udisks2.service': '[Service]\n',
  '/usr/lib/systemd/system/proc-sys-fs-binfmt_misc.automount': '[Automount]\n',
  '/usr/lib/udev/rules.d/60-block.rules': '# RUN+="/bin/mount"\nACTION=="add", RUN+="/usr/bin/amount"\n',
  '/etc/usbguard/usbguard-daemon.conf': 'RuleFile=/etc/usbguard/rules.conf\nImplicitPolicyTarget=block\n',
  '/etc/usbguard/rules.conf':
    'allow id 1d6b:0002 serial "0000:00:14.0" name "xHCI" hash "x=" with-interface 09:00:00\nallow with-interface equals { 08:06:50 }\nreject\n',
  '/sys/block/sda/removable': '0\n',
  '/sys/block/sdb/removable': '1\n',
  '/sys/bus/usb/devices/usb1/authorized_default': '1\n',
  '/sys/bus/usb/devices/1-1/authorized': '1\n',
  '/sys/bus/thunderbolt/devices/domain0/security': 'usbonly\n',
  '/sys/class/net/lo/flags': '0x9\n',
  '/sys/class/net/eth0/flags': '0x1002\n',
  '/sys/module/xfs/version': '',
  [`/lib/modules/${RELEASE}/modules.dep`]:
    'kernel/fs/fat/vfat.ko.xz: kernel/fs/fat/fat.ko.xz\nkernel/drivers/hid/usbhid/usbhid.ko:\nkernel/fs/xfs/xfs.ko:\nkernel/drivers/hid/hid-generic.ko:\n',
  [`/lib/modules/${RELEASE}/modules.builtin`]: 'kernel/fs/ext4/ext4.ko\n',
  '/etc/modprobe.d/station.conf':
    'install vfat /bin/false\ninstall usbhid /bin/false\ninstall hid-generic /usr/bin/true\n',
};

type Change = Readonly<Record<string, string | Error | undefined>>;

function filesOf(all: Change): Pick<Files, 'read' | 'list'> {
  const missing = (): Error => Object.assign(new Error('ENOENT: nothing is there'), { code: 'ENOENT' });
  return {
    async read(path) {
      const content = all[path];
      if (content instanceof Error) throw content;
      if (content === undefined) throw missing();
      return Buffer.from(content);
    },
    async list(path) {
      const names = new Set<string>();
      for (const [name, content] of Object.entries(all)) {
        if (name === path && content instanceof Error) throw content;
        if (content !== undefined && name.startsWith(`${path}/`)) names.add(name.slice(path.length + 1).split('/')[0]!);
      }
      if (names.size === 0) throw missing();
      return [...names].map((name) => ({ name, kind: 'file' as const }));
    },
  };
}

async function statesOf(change: Change): Promise<Map<string, { state: string; found: string }>> {
  const checks = await checkStation(filesOf({ ...station, ...change }), '', HOME, RELEASE);
  for (const { state, costs, fix } of checks) {
    assert.equal(costs === '' && fix === '', state === 'ok', 'what is not well says what it costs and what to do');
  }
  return new Map(checks.map(({ name, state, found }) => [name, { state, found }]));
}

const denied = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });

test('a station that is as it should be passes every check', async () => {
  const states = await statesOf({});
  assert.deepEqual(
    [...states].filter(([, { state }]) => state !== 'ok'),
    [],
  );
  assert.equal(states.size, 16);
});

test('what cannot be read at all is unknown, never well', async () => {
  const checks = await checkStation(filesOf({}), '', HOME, RELEASE);
  assert.deepEqual(
    checks.filter(({ state }) => state !== 'unknown').map(({ name }) => name),
    [],
  );
});

const everyModule = (name: string): Change => ({ [`/sys/module/${name}/version`]: '' });
const cases: readonly [string, string, 'ok' | 'bad' | 'unknown', Change][] = [
  ['automount by programs', 'udisks runs', 'bad', { '/proc/90/comm': 'udisksd\n' }],
  ['automount by programs', 'udisks is installed', 'bad', { '/etc/systemd/system/udisks2.service': undefined }],
  ['automount by programs', 'autofs is installed', 'bad', { '/lib/systemd/system/autofs.service': '[Unit]' }],
  [
    'automount by programs',
    'processes are hidden',
    'unknown',
    { '/proc/1/comm': undefined, '/proc/77/comm': undefined },
  ],
  [
    'automount by udev',
    'a rule mounts',
    'bad',
    {
      '/etc/udev/rules.d/99-usb.rules': 'KERNEL=="sd?1", \\\n RUN+="/usr/bin/systemd-mount --no-block $devnode"\n',
    },
  ],
  [
    'automount by udev',
    'a rule starts a unit that mounts',
    'bad',
    {
      '/etc/udev/rules.d/99-usb.rules': 'KERNEL=="sd?1", ENV{SYSTEMD_WANTS}="mount@%k.service"\n',
    },
  ],
  [
    'automount by udev',
    'such a rule is replaced by an empty one',
    'ok',
    {
      '/usr/lib/udev/rules.d/99-usb.rules': 'RUN+="/bin/mount"\n',
      '/etc/udev/rules.d/99-usb.rules': '',
    },
  ],
  ['automount by udev', 'rules may not be read', 'unknown', { '/usr/lib/udev/rules.d/60-block.rules': denied }],
  ['automount by systemd', 'fstab mounts a disc', 'bad', { '/etc/fstab': '/dev/sr0 /media/cdrom iso9660 ro 0 0\n' }],
  [
    'automount by systemd',
    'fstab mounts on use',
    'bad',
    { '/etc/fstab': '/dev/sdb1 /mnt vfat noauto,x-systemd.automount 0 0\n' },
  ],
  [
    'automount by systemd',
    'a unit mounts on use',
    'bad',
    { '/etc/systemd/system/media-usb.automount': '[Automount]\n' },
  ],
  [
    'automount by systemd',
    'such a unit is masked',
    'ok',
    {
      '/etc/systemd/system/media-usb.automount': '',
      '/usr/lib/systemd/system/media-usb.automount': '[Automount]\n',
    },
  ],
  ['removable media', 'a stick is mounted', 'bad', { '/proc/self/mounts': '/dev/sdb1 /mnt vfat rw 0 0\n' }],
  ['removable media', 'nothing says what is mounted', 'unknown', { '/proc/self/mounts': undefined }],
  ['USB devices', 'usbguard does not run', 'bad', { '/proc/77/comm': 'other\n' }],
  [
    'USB devices',
    'usbguard lets all in',
    'bad',
    { '/etc/usbguard/usbguard-daemon.conf': 'ImplicitPolicyTarget=allow\n' },
  ],
  ['USB devices', 'usbguard says nothing', 'bad', { '/etc/usbguard/usbguard-daemon.conf': '\n' }],
  [
    'USB devices',
    'usbguard lets in what is inserted',
    'bad',
    {
      '/etc/usbguard/usbguard-daemon.conf': 'ImplicitPolicyTarget=block\nInsertedDevicePolicy=allow\n',
    },
  ],
  [
    'USB devices',
    'usbguard lets in any keyboard',
    'bad',
    { '/etc/usbguard/rules.conf': 'allow with-interface equals { 03:01:01 }\n' },
  ],
  [
    'USB devices',
    'usbguard lets in a stick that is a keyboard too',
    'bad',
    {
      '/etc/usbguard/rules.conf': 'allow with-interface equals { 08:06:50 03:01:01 }\n',
    },
  ],
  [
    'USB devices',
    'the kernel lets nothing in',
    'ok',
    {
      '/proc/77/comm': 'other\n',
      '/sys/bus/usb/devices/usb1/authorized_default': '0\n',
    },
  ],
  [
    'USB devices',
    'one bus is open',
    'bad',
    {
      '/proc/77/comm': 'other\n',
      '/sys/bus/usb/devices/usb1/authorized_default': '2\n',
      '/sys/bus/usb/devices/usb2/authorized_default': '1\n',
    },
  ],
  ['USB devices', 'the configuration may not be read', 'unknown', { '/etc/usbguard/usbguard-daemon.conf': denied }],
  ['drivers: keyboards and mice', 'one is loaded', 'bad', everyModule('usbhid')],
  ['drivers: keyboards and mice', 'one may be loaded', 'bad', { '/etc/modprobe.d/station.conf': 'blacklist usbhid\n' }],
  [
    'drivers: keyboards and mice',
    'nothing more may be loaded',
    'ok',
    {
      '/etc/modprobe.d/station.conf': undefined,
      '/proc/sys/kernel/modules_disabled': '1\n',
    },
  ],
  [
    'drivers: keyboards and mice',
    'one is built in',
    'bad',
    {
      [`/lib/modules/${RELEASE}/modules.builtin`]: 'kernel/drivers/hid/usbhid/usbhid.ko\n',
    },
  ],
  [
    'drivers: keyboards and mice',
    'it is not said what is built in',
    'unknown',
    {
      [`/lib/modules/${RELEASE}/modules.builtin`]: undefined,
    },
  ],
  [
    'drivers: keyboards and mice',
    'it is not said what there is',
    'unknown',
    { [`/lib/modules/${RELEASE}/modules.dep`]: undefined },
  ],
  ['drivers: network over USB', 'one is loaded', 'bad', everyModule('cdc_ether')],
  ['drivers: modems and serial lines', 'one is loaded', 'bad', everyModule('cdc_acm')],
  ['drivers: radio, sound and pictures', 'one is loaded', 'bad', everyModule('btusb')],
  ['drivers: direct memory access', 'one is loaded', 'bad', everyModule('firewire_ohci')],
  ['drivers: file systems', 'one is there', 'bad', { '/proc/filesystems': '\text4\n\tiso9660\n' }],
  [
    'drivers: file systems',
    'one may be loaded',
    'bad',
    { '/etc/modprobe.d/station.conf': 'install usbhid /bin/false\n' },
  ],
  [
    'drivers: file systems',
    'a kernel without modules has none',
    'ok',
    {
      '/proc/modules': undefined,
      [`/lib/modules/${RELEASE}/modules.builtin`]: undefined,
    },
  ],
  ['drivers: file systems', 'it is not said which there are', 'unknown', { '/proc/filesystems': undefined }],
  ['Thunderbolt', 'a port takes any device', 'bad', { '/sys/bus/thunderbolt/devices/domain0/security': 'none\n' }],
  ['Thunderbolt', 'its level may not be read', 'unknown', { '/sys/bus/thunderbolt/devices/domain0/security': denied }],
  ['memory dumps', 'a file is written', 'bad', { '/proc/sys/kernel/core_pattern': 'core\n' }],
  [
    'memory dumps',
    'a program takes them',
    'bad',
    { '/proc/sys/kernel/core_pattern': '|/usr/share/apport/apport %p\n' },
  ],
  ['memory dumps', 'of privileged programs too', 'bad', { '/proc/sys/fs/suid_dumpable': '2\n' }],
  ['memory dumps', 'it is not said', 'unknown', { '/proc/sys/kernel/core_pattern': undefined }],
  ['swap', 'a partition', 'bad', { '/proc/swaps': 'Filename\n/dev/sda5 partition 1 0 -2\n' }],
  ['swap', 'perhaps encrypted', 'unknown', { '/proc/swaps': 'Filename\n/dev/dm-1 partition 1 0 -2\n' }],
  ['quarantine', 'programs may run there', 'bad', { '/proc/self/mounts': '/dev/sda2 / ext4 rw,nosuid,nodev 0 0\n' }],
  [
    'quarantine',
    'a later mount covers the earlier',
    'bad',
    {
      '/proc/self/mounts':
        '/dev/a / ext4 rw 0 0\n/dev/b /srv ext4 rw,noexec,nosuid,nodev 0 0\n/dev/c /srv ext4 rw 0 0\n',
    },
  ],
  ['network', 'a link is up', 'bad', { '/sys/class/net/eth0/flags': '0x1003\n' }],
  [
    'network',
    'a radio is there',
    'bad',
    { '/sys/class/net/wlan0/flags': '0x1002\n', '/sys/class/net/wlan0/phy80211/name': 'x' },
  ],
  [
    'network',
    'it is not said',
    'unknown',
    {
      '/sys/class/net/lo/flags': undefined,
      '/sys/class/net/eth0/flags': undefined,
    },
  ],
];
for (const [name, what, state, change] of cases) {
  test(`${name}: ${what} is ${state}`, async () => {
    const found = (await statesOf(change)).get(name);
    assert.equal(found?.state, state, found?.found ?? name);
  });
}
