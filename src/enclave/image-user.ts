/** As whom an image says that it runs (OCI image specification, config, `User`): `user`, `uid`, each with `:group` or `:gid`. */

/** Ids from the image's own passwd(5) and group(5), both hostile input; undefined where it names somebody unknown. */
export function userOf(words: string, passwd: string, group: string): { uid: number; gid: number } | undefined {
  const [who = '', ofGroup] = words.split(':');
  if (who === '' && ofGroup === undefined) return { uid: 0, gid: 0 };
  const name = who === '' ? '0' : who;
  const entries = passwd.split('\n').map((line) => line.split(':'));
  const entry = entries.find((fields) => (isId(name) ? Number(fields[2]) === Number(name) : fields[0] === name));
  const uid = isId(name) ? Number(name) : idIn(entry?.[2]);
  if (uid === undefined) return undefined;
  if (ofGroup === undefined) return { uid, gid: idIn(entry?.[3]) ?? 0 };
  const groups = group.split('\n').map((line) => line.split(':'));
  const gid = isId(ofGroup) ? Number(ofGroup) : idIn(groups.find((fields) => fields[0] === ofGroup)?.[2]);
  return gid === undefined ? undefined : { uid, gid };
}

/** Up to the largest that a runtime takes: runc refuses 2^31 and above. */
function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) <= 0x7fff_ffff;
}

function idIn(text: string | undefined): number | undefined {
  return text !== undefined && isId(text) ? Number(text) : undefined;
}
