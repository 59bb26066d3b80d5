import { compareDigits, compareText, type Order } from '../number.ts';

/** Arch Linux: `epoch:version-release`; a release counts only where both have one (vercmp(8)). */
export function compareAlpm(a: string, b: string): Order {
  const [x, y] = [parse(a), parse(b)];
  const order = compareDigits(x.epoch, y.epoch) || compareSegments(x.version, y.version);
  if (order !== 0 || x.release === undefined || y.release === undefined) return order;
  return compareSegments(x.release, y.release);
}

function parse(text: string): { epoch: string; version: string; release: string | undefined } {
  const [, epoch = '0', version = '', release] = /^(?:(\d+):)?(.*?)(?:-([^-]*))?$/s.exec(text) ?? [];
  return { epoch, version, release };
}

/** rpmvercmp as pacman has it: runs of digits and of letters; what is left over is newer, unless it is letters. */
function compareSegments(a: string, b: string): Order {
  const [x, y] = [a, b].map((text) => [...text.matchAll(/([^0-9A-Za-z]*)([0-9]+|[A-Za-z]+)/g)]);
  for (let i = 0; ; i++) {
    const p = x?.[i];
    const q = y?.[i];
    if (p === undefined || q === undefined) {
      if (p === q) return 0;
      const rest = p ?? q;
      const newer = /^[A-Za-z]/.test(rest?.[2] ?? '') && rest?.[1] === '' ? -1 : 1;
      return (p === undefined ? -newer : newer) as Order;
    }
    const [left, right] = [p[2] ?? '', q[2] ?? ''];
    const [isLeft, isRight] = [/^\d/.test(left), /^\d/.test(right)];
    if (isLeft !== isRight) return isLeft ? 1 : -1;
    const order = isLeft ? compareDigits(left, right) : compareText(left, right);
    if (order !== 0) return order;
  }
}
