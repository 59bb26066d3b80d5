import type { ReasonCode } from './faults.ts';
import { LIMITS } from './limits.ts';
import { foldName, type NameRules } from './member-name.ts';

export type NodeKind = 'file' | 'folder' | 'link';

interface Node {
  readonly name: string;
  kind: NodeKind;
  children: Map<string, Node> | undefined;
}

/** The names of an archive as a tree, so that a later member is seen in the light of all before it. */
export class MemberTree {
  readonly #rules: NameRules;
  readonly #most: number;
  readonly #root: Node = { name: '', kind: 'folder', children: undefined };
  #nodes = 0;
  #bytes = 0;

  /** `most`: names that it takes before it is full. */
  constructor(rules: NameRules, most: number = LIMITS.names) {
    this.#rules = rules;
    this.#most = most;
  }

  /** Adds a member; gives what is wrong with it. */
  add(parts: readonly string[], kind: NodeKind): { code: ReasonCode; detail: string }[] {
    const faults: { code: ReasonCode; detail: string }[] = [];
    let node = this.#root;
    for (const [index, part] of parts.entries()) {
      const last = index === parts.length - 1;
      const key = this.#rules === 'portable' ? foldName(part) : part;
      const next = node.children?.get(key);
      if (next === undefined) {
        this.#nodes += 1;
        this.#bytes += part.length;
        const made: Node = { name: part, kind: last ? kind : 'folder', children: undefined };
        node.children ??= new Map();
        node.children.set(key, made);
        node = made;
        continue;
      }
      if (next.name !== part) {
        faults.push({ code: 'examine.collision', detail: `It collides with ${next.name}.` });
      }
      if (!last) {
        if (next.kind === 'link') {
          faults.push({ code: 'examine.link-through', detail: `${next.name} is a link.` });
          return faults;
        }
        if (next.kind === 'file') {
          faults.push({ code: 'examine.type-change', detail: `${next.name} is a file and a folder.` });
          return faults;
        }
      } else if (next.kind !== kind) {
        faults.push({ code: 'examine.type-change', detail: `It is a ${next.kind} and a ${kind}.` });
      } else if (kind !== 'folder') {
        faults.push({ code: 'examine.duplicate', detail: 'The name stands twice.' });
      }
      node = next;
    }
    return faults;
  }

  /** Whether a regular file of exactly this name came before. */
  hasFile(parts: readonly string[]): boolean {
    let node: Node | undefined = this.#root;
    for (const part of parts) {
      const key = this.#rules === 'portable' ? foldName(part) : part;
      node = node.children?.get(key);
      if (node === undefined || node.name !== part) return false;
    }
    return node.kind === 'file';
  }

  get full(): boolean {
    return this.#nodes > this.#most || this.#bytes > LIMITS.nameBytes;
  }
}

/**
 * Whether a symbolic link stays inside. Its target is `../` some times and then a plain path, so that where it leads
 * does not depend on other links: parents of a member are never links, because nothing is written through one.
 */
export function staysInside(parts: readonly string[], target: string): boolean {
  if (
    target === '' ||
    target.startsWith('/') ||
    target.includes('\\') ||
    target.includes('\0') ||
    /^[A-Za-z]:/.test(target)
  ) {
    return false;
  }
  const steps = target.replace(/\/$/, '').split('/');
  let up = 0;
  while (steps[0] === '..' || (steps[0] === '.' && up === 0)) {
    if (steps.shift() === '..') up += 1;
  }
  return up < parts.length && steps.every((step) => step !== '' && step !== '.' && step !== '..');
}
