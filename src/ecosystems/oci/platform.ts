import type { Target } from '#kernel';
import type { Platform } from './manifest.ts';

/** Variants that a machine of a variant can run, best first (image specification, image-index.md `variant`). */
const ARM = ['v8', 'v7', 'v6', 'v5'];
const AMD64 = ['v4', 'v3', 'v2', 'v1'];

/** Whether a machine as the target describes it may be given a manifest for this platform. */
export function runsOn(target: Target, platform: Platform): boolean {
  if (target.os !== platform.os || target.arch !== platform.architecture) return false;
  const order = target.arch === 'arm' ? ARM : target.arch === 'amd64' ? AMD64 : undefined;
  // arm64 is v8 and amd64 is v1 unless said; for 32-bit arm nothing is implied, and all are kept.
  const implied = target.arch === 'arm64' ? 'v8' : target.arch === 'amd64' ? 'v1' : '';
  const have = target.variant ?? implied;
  const need = platform.variant === '' ? implied : platform.variant;
  if (have === need || need === '' || have === '') return true;
  if (order === undefined) return false;
  const [h, n] = [order.indexOf(have), order.indexOf(need)];
  return h !== -1 && n >= h;
}

/** `linux/arm/v7`. */
export function describePlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter((part) => part !== '').join('/');
}
