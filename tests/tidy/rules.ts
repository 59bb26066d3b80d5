import { posix } from 'node:path';
import { contextOf, importsOf, isTest, type Repository } from './repository.ts';

// Each rule gives the violations as `path:line: what, and what to do`. Only rules that pay for themselves stand here.

const source = (path: string): boolean => path.startsWith('src/') && path.endsWith('.ts');

/** The rows of the table below `## Layers` in ARCHITECTURE.md, lowest first. */
export function layersOf(architecture: string): readonly (readonly string[])[] {
  const section = architecture.split(/^## /m).find((part) => part.startsWith('Layers')) ?? '';
  return [...section.matchAll(/^\| *\d+ *\|([^|]+)\|/gm)].map((row) =>
    [...row[1]!.matchAll(/`([a-z-]+)`/g)].map((name) => name[1]!),
  );
}

/** A context imports only contexts of lower rows; ecosystems import kernel and formats only. */
export function layers(repository: Repository): string[] {
  const rows = layersOf(repository.get('ARCHITECTURE.md') ?? '');
  const rowOf = new Map(rows.flatMap((row, index) => row.map((name) => [name, index] as const)));
  const troubles: string[] = [];
  for (const context of new Set([...repository.keys()].filter(source).map((path) => contextOf(path)!))) {
    if (!rowOf.has(context)) troubles.push(`src/${context}: it is in no row of the layer table of ARCHITECTURE.md`);
  }
  for (const [path, text] of repository) {
    if (!source(path) || isTest(path)) continue;
    const from = contextOf(path)!;
    for (const { module, line } of importsOf(text)) {
      const to = /^#([a-z-]+)/.exec(module)?.[1];
      if (to === undefined || to === from) continue;
      if ((rowOf.get(to) ?? Infinity) >= (rowOf.get(from) ?? -1)) {
        troubles.push(`${path}:${line}: ${from} imports ${to}, which is not below it; declare a port in kernel`);
      } else if (from === 'ecosystems' && to !== 'kernel' && to !== 'formats') {
        troubles.push(`${path}:${line}: an ecosystem imports kernel and formats only; take a port`);
      }
    }
  }
  return troubles;
}

/** Another context is entered through its door; what is for tests stays in tests. */
export function doors(repository: Repository): string[] {
  const { imports = {} } = JSON.parse(repository.get('package.json') ?? '{}') as { imports?: Record<string, string> };
  const troubles: string[] = [];
  for (const [door, file] of Object.entries(imports)) {
    if (!repository.has(file.replace('./', ''))) troubles.push(`package.json: the door ${door} leads to no file`);
  }
  for (const [path, text] of repository) {
    if (!source(path)) continue;
    for (const { module, line } of importsOf(text)) {
      if (module.startsWith('.') && path !== 'src/main.ts') {
        const to = posix.join(posix.dirname(path), module);
        if (contextOf(to) !== contextOf(path)) {
          troubles.push(`${path}:${line}: ${module} leaves the context; use its door`);
        }
      } else if (module.endsWith('/testing') && !isTest(path)) {
        troubles.push(`${path}:${line}: ${module} is for tests`);
      }
    }
    for (const [index, content] of text.split('\n').entries()) {
      if (/^\s*export \*/.test(content)) {
        troubles.push(`${path}:${index + 1}: export * hides what a door gives; name each`);
      }
    }
  }
  return troubles;
}

const MACHINE =
  /^node:(?:fs|fs\/promises|net|http|http2|https|tls|dgram|dns|dns\/promises|child_process|worker_threads|sqlite|os|cluster)$/;
/** Where a context may touch the machine: its io, what runs inside a namespace, and doctor, whose subject it is. */
const SHELL = /^src\/(?:main\.ts$|system\/|surfaces\/)|\/(?:io|agent|testing)\/|\/(?:probe|doctor)\.ts$|\.test\.ts$/;

/** The pure core touches neither files, network, processes nor the clock. */
export function purity(repository: Repository): string[] {
  const troubles: string[] = [];
  for (const [path, text] of repository) {
    if (!source(path) || SHELL.test(path)) continue;
    for (const { module, line } of importsOf(text)) {
      if (MACHINE.test(module) && !isTypeOnly(text, module)) {
        troubles.push(`${path}:${line}: ${module} outside io/; take a port, or move it to io/`);
      }
    }
    for (const [index, content] of text.split('\n').entries()) {
      if (/^\s*(?:\/\/|\*|\/\*)/.test(content)) continue;
      if (/\bprocess\.(?:env|argv|cwd|exit|stdout|stderr|stdin)\b/.test(content)) {
        troubles.push(`${path}:${index + 1}: reads or ends the process; take it from the World`);
      }
      if (/\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(/.test(content)) {
        troubles.push(`${path}:${index + 1}: reads the clock or chance; take a Clock, or bytes`);
      }
    }
  }
  return troubles;
}

function isTypeOnly(text: string, module: string): boolean {
  const uses = text.split('\n').filter((line) => line.includes(`'${module}'`));
  return uses.every((line) => /^\s*import type\b/.test(line));
}

/** The way out exists outside only: nothing but capture opens it. */
export function wayOut(repository: Repository): string[] {
  const troubles: string[] = [];
  for (const [path, text] of repository) {
    if (!source(path) || isTest(path) || /^src\/(?:capture|system)\//.test(path)) continue;
    for (const match of text.matchAll(/^import\b[^;]*\bopenNetwork\b[^;]*'#system'|\bfrom 'undici'/gm)) {
      const line = text.slice(0, match.index).split('\n').length;
      troubles.push(`${path}:${line}: opens the way out, which belongs to capture alone`);
    }
  }
  return troubles;
}

/** Starting the product must stay cheap: an operation's description loads kernel, zod and other descriptions only. */
export function cheapStart(repository: Repository): string[] {
  const troubles: string[] = [];
  for (const [path, text] of repository) {
    if (!/^src\/[a-z-]+\/operations\.ts$/.test(path)) continue;
    for (const { module, line, late } of importsOf(text)) {
      if (late || module === 'zod' || module === '#kernel' || /^#[a-z-]+\/operations$/.test(module)) continue;
      const statement = text.split('\n')[line - 1] ?? '';
      if (/import type\b/.test(statement) || module.startsWith('./')) continue;
      troubles.push(`${path}:${line}: ${module} is loaded at every start; import its types, and load it with the verb`);
    }
  }
  return troubles;
}

/** Codes that stand in a catalogue are used somewhere, and codes in verdicts stand in one. */
export function faultCodes(repository: Repository, catalogues: ReadonlyMap<string, readonly string[]>): string[] {
  const troubles: string[] = [];
  const owners = new Map<string, string>();
  for (const [file, codes] of catalogues) {
    for (const code of codes) {
      const other = owners.get(code);
      if (other !== undefined) troubles.push(`${file}: ${code} stands in ${other} too`);
      owners.set(code, file);
    }
  }
  const used = new Set<string>();
  for (const [path, text] of repository) {
    if (!source(path) || path.endsWith('/faults.ts')) continue;
    for (const match of text.matchAll(/['`]([a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*)['`]/g)) used.add(match[1]!);
    if (isTest(path)) continue;
    for (const match of text.matchAll(/\bcode: '([a-z-]+\.[a-z0-9.-]+)'/g)) {
      if (owners.has(match[1]!)) continue;
      const line = text.slice(0, match.index).split('\n').length;
      troubles.push(`${path}:${line}: ${match[1]} stands in no catalogue, so 'explain' does not know it`);
    }
  }
  for (const [code, file] of owners) {
    if (!used.has(code)) troubles.push(`${file}: nothing uses ${code}; remove it`);
  }
  return troubles;
}

/** Every folder of ecosystems is in the list of them, and the other way round. */
export function ecosystems(repository: Repository, listed: readonly string[]): string[] {
  const folders = new Set(
    [...repository.keys()].map((path) => /^src\/ecosystems\/([a-z]+)\/index\.ts$/.exec(path)?.[1]).filter(Boolean),
  );
  folders.delete('testing');
  return [
    ...[...folders]
      .filter((folder) => !listed.includes(folder!))
      .map((folder) => `src/ecosystems/${folder} is not listed`),
    ...listed.filter((id) => !folders.has(id)).map((id) => `the ecosystem ${id} is listed and has no folder`),
  ];
}

/** Identifiers that look like addresses and are never opened. */
const IDENTIFIERS =
  /^https?:\/\/(?:in-toto\.io\/Statement\/v[\d.]+|slsa\.dev\/provenance\/v1|www\.w3\.org\/2000\/svg)(?![\w/])/;
const HERE =
  /^(?:127\.|\[::1?\]|localhost\b|0\.0\.0\.0|(?:10|192\.168|169\.254|192\.0\.2|198\.51\.100|203\.0\.113)\.|[\w.-]*\bexample\b|[\w.-]+\.(?:test|invalid|local|internal)\b|[a-z][a-z0-9-]*(?::\d+|[/'"`)\s]|$)|[$<{*%[\\(]|user|u:|name:)/;
/** Written so that this file does not name them either. */
const REGISTRIES =
  /\b(?:n[p]mjs|y[a]rnpkg|n[p]mmirror|p[y]pi|p[y]thonhosted|c[r]ates|r[u]bygems|deb\.d[e]bian|security\.d[e]bian|p[a]ckagist|repo1?\.m[a]ven|proxy\.g[o]lang|sum\.g[o]lang|g[o]proxy|g[h]cr|q[u]ay)\.(?:org|com|io|net|dev|cn)\b/i;

/** No text sends a user to the internet, and no registry's host is written down: upstreams come from the clients. */
export function addresses(repository: Repository): string[] {
  const troubles: string[] = [];
  for (const [path, text] of repository) {
    if (path === 'LICENSE' || path.startsWith('tests/tidy/') || path.endsWith('package-lock.json')) continue;
    for (const [index, line] of text.split('\n').entries()) {
      for (const match of line.matchAll(/\bhttps?:\/\/\S*/g)) {
        const rest = match[0].replace(/^https?:\/\//, '').replace(/^[^/@\s]*@/, '');
        if (rest === '' || IDENTIFIERS.test(match[0]) || HERE.test(rest) || !/^[\w-]+(?:\.[\w-]+)+/.test(rest))
          continue;
        troubles.push(`${path}:${index + 1}: ${match[0]} is an address outside; say it offline`);
      }
      if (REGISTRIES.test(line)) troubles.push(`${path}:${index + 1}: names a registry's host`);
    }
  }
  return troubles;
}

/** Lock files name no registry, versions of dependencies are exact, and no path of a developer's machine is written down. */
export function portable(repository: Repository): string[] {
  const troubles: string[] = [];
  for (const [path, text] of repository) {
    if (
      path.endsWith('package-lock.json') &&
      /"resolved": "https?:\/\/(?!registry\.example\.test\/)/.test(text) &&
      !path.includes('/testing/')
    ) {
      troubles.push(`${path}: names where packages are from; npm install --package-lock-only writes it without`);
    }
    if (path === 'package.json') {
      const manifest = JSON.parse(text) as Record<string, Record<string, string> | undefined>;
      for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
        for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
          if (!/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version)) troubles.push(`${path}: ${name} ${version} is not exact`);
        }
      }
    }
    if (path.startsWith('tests/tidy/')) continue;
    for (const [index, line] of text.split('\n').entries()) {
      if (/(?<![\w.~)}-])\/(?:work\/(?:main|shared)|root\/|home\/[a-z]+\/)/.test(line)) {
        troubles.push(`${path}:${index + 1}: names a folder of one machine`);
      }
    }
  }
  return troubles;
}

/** A room has a door and says what it is; nothing that nobody has filled. */
export function rooms(repository: Repository): string[] {
  const troubles: string[] = [];
  const contexts = new Set([...repository.keys()].filter(source).map((path) => contextOf(path)!));
  contexts.delete('main');
  contexts.delete('surfaces');
  for (const context of contexts) {
    const door = context === 'ecosystems' ? 'ecosystem.ts' : 'index.ts';
    if (!repository.has(`src/${context}/${door}`)) troubles.push(`src/${context}: has no ${door}`);
    const readme = repository.get(`src/${context}/README.md`);
    if (readme === undefined) troubles.push(`src/${context}: has no README.md`);
    else if (readme.split('\n').length > 70) troubles.push(`src/${context}/README.md: is over a page`);
  }
  return troubles;
}

/** Links between documents lead somewhere. */
export function links(repository: Repository): string[] {
  const troubles: string[] = [];
  const folders = new Set([...repository.keys()].flatMap((path) => parents(path)));
  for (const [path, text] of repository) {
    if (source(path)) {
      for (const [document] of text.matchAll(/(?<![\w/])docs\/[\w./-]+\.md/g)) {
        if (!repository.has(document)) troubles.push(`${path}: ${document} does not exist`);
      }
    }
    if (!path.endsWith('.md')) continue;
    for (const match of text.matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)) {
      const to = posix.join(posix.dirname(path), match[1]!).replace(/\/$/, '');
      if (!repository.has(to) && !folders.has(to) && to !== 'LICENSE') {
        troubles.push(`${path}: the link to ${match[1]} leads nowhere`);
      }
    }
  }
  return troubles;
}

function parents(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** Documents name commands and flags that exist. `verbs` maps `ledger verify` to its flags. */
export function commands(repository: Repository, verbs: ReadonlyMap<string, readonly string[]>): string[] {
  const troubles: string[] = [];
  const always = ['--json', '--log', '--help', '--version', '-h', '-V'];
  for (const [path, text] of repository) {
    const faults = source(path) && path.endsWith('/faults.ts');
    const document = path.endsWith('.md') && !path.startsWith('docs/decisions/') && path !== 'CHANGELOG.md';
    if (!faults && !document) continue;
    const parts = faults ? /'(sallyport [^']+)'/g : /```[^\n]*\n([\s\S]*?)```|`([^`\n]+)`/g;
    const code = [...text.matchAll(parts)].map((match) => match[1] ?? match[2] ?? '');
    for (const line of code.join('\n').split('\n')) {
      const match = /(?:^|[\s;&|(])(?:\.\/)?sallyport +([a-z]+(?:-[a-z]+)*)(?: +([a-z]+))?(?: +([a-z]+))?/.exec(line);
      if (match === null || match[1] === 'help') continue;
      const words = [match[1]!, match[2], match[3]].filter((word) => word !== undefined);
      const verb = [words.join(' '), words.slice(0, 2).join(' '), words[0]!].find((name) => verbs.has(name));
      if (verb === undefined) {
        if (![...verbs.keys()].some((name) => name.startsWith(`${words[0]} `)) || words.length > 1) {
          troubles.push(`${path}: there is no command '${words[0]}' as in: ${line.trim()}`);
        }
        continue;
      }
      // What follows '--' is somebody else's command.
      const rest = line.slice(match.index + match[0].length).split(/[|;&#]| -- /)[0]!;
      for (const flag of rest.matchAll(/(?<=\s|\[)(--?[a-z][a-z-]*)/g)) {
        if (!always.includes(flag[1]!) && !verbs.get(verb)!.includes(flag[1]!)) {
          troubles.push(`${path}: '${verb}' has no flag ${flag[1]} (${line.trim()})`);
        }
      }
    }
  }
  return troubles;
}
