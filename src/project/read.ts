import { basename, dirname, resolve } from 'node:path';
import { isAlias, isMap, isNode, isPair, isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml';
import { z } from 'zod';
import { compareUtf8, errorCode, type Files, printable, type Target } from '#kernel';
import { projectFault } from './faults.ts';
import { nearest } from './nearest.ts';
import type { Flow, InputEntry, Project, ProjectRequest, Readiness, Service } from './project.ts';

/** Largest sallyport.yaml, in bytes. */
const LIMIT = 1024 * 1024;
/** Aliases that one file may use: enough for a person, too few for an expansion attack. */
const ALIASES = 100;
/** Seconds and numbers that hold where the file says nothing. */
const START_WITHIN = 60;
const RESTARTS = 5;
const TIME_LIMIT = 3600;

const text = z.string().min(1).max(4096);
/** Names of ours that become file names, host names or ledger words. */
const plainName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9._-]{0,126}[a-z0-9])?$/, 'use lower-case letters, digits, and . _ - inside');
const hostName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'use lower-case letters, digits and - inside, 63 at most');
const port = z.int().min(1).max(65_535);
const date = z.iso.date('write a day as "YYYY-MM-DD", in quotes');
const version = z.string().regex(/^[0-9][0-9A-Za-z.+_-]*$/, 'write a version in quotes, for example "3.11"');
/** A path below the folder of the project: never absolute, never up and out. */
const inside = text.refine((path) => isInside(path), 'write a path below the folder of sallyport.yaml, with /');

const host = z
  .string()
  .regex(
    /^[a-z0-9._-]{1,253}(?::[0-9]{1,5})?$/,
    'write a host in lower case, perhaps with a port: registry.example.test',
  );
const webAddress = text.refine((address) => {
  if (!URL.canParse(address)) return false;
  const { protocol, username, password, search, hash } = new URL(address);
  return /^https?:$/.test(protocol) && username + password + search + hash === '';
}, 'write an address with http: or https:, without user, query and fragment');

const target = z.strictObject({
  os: z.string().regex(/^[a-z0-9]+$/),
  arch: z.string().regex(/^[a-z0-9]+$/),
  variant: z
    .string()
    .regex(/^[a-z0-9.]+$/)
    .optional(),
  libc: z.strictObject({ name: z.enum(['glibc', 'musl']), version }).optional(),
  python: z
    .array(z.strictObject({ implementation: z.string().regex(/^[a-z]+$/), version }))
    .min(1)
    .optional(),
  node: version.optional(),
  apt: z
    .array(z.strictObject({ suite: text, architecture: text }))
    .min(1)
    .optional(),
});

const seconds = z.int().min(1).max(86_400);
const requestPath = z.string().regex(/^\/[!-~]*$/, 'write a path that begins with / and has no spaces');
const status = z.int().min(100).max(599);
const ready = z.strictObject({
  tcp: port.optional(),
  http: requestPath.optional(),
  status: status.optional(),
  port: port.optional(),
  run: z.array(z.string()).min(1).optional(),
  log: z.string().min(1).max(1000).refine(isPattern, 'not a regular expression').optional(),
});

const service = z.strictObject({
  image: text.optional(),
  folder: inside.optional(),
  install: z.enum(['npm', 'pip']).optional(),
  run: z.array(z.string()).min(1).optional(),
  arguments: z.array(z.string()).optional(),
  port: port.optional(),
  needs: z.array(hostName).optional(),
  environment: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'not a name of a variable'), z.string())
    .optional(),
  ready: ready.optional(),
  'start-within': seconds.optional(),
  restart: z.enum(['never', 'on-failure']).optional(),
  restarts: z.int().min(1).max(100).optional(),
});

const flow = z.strictObject({
  from: hostName,
  to: hostName,
  port,
  protocol: z.enum(['tcp', 'udp', 'sctp']),
  reason: text,
  owner: text,
  approver: text.optional(),
  ticket: text.optional(),
  'review-by': date.optional(),
  expires: date.optional(),
});

const request = z.strictObject({
  from: hostName.optional(),
  to: hostName,
  method: z
    .string()
    .regex(/^[A-Z]+$/)
    .optional(),
  path: requestPath,
  headers: z.record(z.string().regex(/^[A-Za-z0-9-]+$/), z.string()).optional(),
  body: z.string().optional(),
  expect: z.strictObject({ status, contains: z.string().min(1).optional() }),
});

const projectSchema = z.strictObject({
  sallyport: z.literal('1.0', 'this version reads sallyport: "1.0"'),
  name: plainName,
  channel: plainName.optional(),
  destinations: z.union([z.array(plainName), z.record(plainName, z.array(plainName).min(1))]).optional(),
  targets: z.record(plainName, target).refine((all) => Object.keys(all).length > 0, 'name at least one target'),
  prepare: z
    .array(
      z.strictObject({
        run: z.array(z.string().min(1)).min(1),
        makes: inside,
        needs: z
          .array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/, 'write the name of a program'))
          .optional(),
        reads: z.array(inside).min(1).optional(),
        reaches: z.array(host).optional(),
        posts: z.array(webAddress).optional(),
      }),
    )
    .max(100)
    .optional(),
  inputs: z.array(z.record(z.string(), z.unknown())).min(1, 'name at least one input').max(1000),
  services: z.record(hostName, service).optional(),
  flows: z.array(flow).max(10_000).optional(),
  requests: z.array(request).max(10_000).optional(),
  'time-limit': seconds.optional(),
  limits: z
    .strictObject({
      memory: z.int().min(16).max(1_048_576).optional(),
      disk: z.int().min(16).max(16_777_216).optional(),
      processes: z.int().min(16).max(1_000_000).optional(),
    })
    .optional(),
});

const inputOptions = z.strictObject({
  from: inside.optional(),
  name: text.optional(),
  insecure: z.boolean().optional(),
  role: z.enum(['policy']).optional(),
  targets: z.array(plainName).min(1).optional(),
});

/** `a/b`, `./a`, but not `/a`, `../a`, `a/../../b`, `a\b`, or anything with NUL. */
function isInside(path: string): boolean {
  if (path.startsWith('/') || path.includes('\\') || path.includes('\0')) return false;
  let depth = 0;
  for (const part of path.split('/')) {
    if (part === '..') depth -= 1;
    else if (part !== '' && part !== '.') depth += 1;
    if (depth < 0) return false;
  }
  return true;
}

/** Reads sallyport.yaml. Throws project.missing, project.unreadable and project.invalid, with line and column. */
export async function readProject(files: Files, path: string): Promise<Project> {
  let bytes: Uint8Array;
  try {
    bytes = await files.read(path, LIMIT);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') throw projectFault('project.missing', { where: path });
    if (code === 'EFBIG') {
      throw projectFault('project.unreadable', {
        where: path,
        detail: 'It is larger than 1 MiB.',
        fix: 'Keep generated lists out of it; inputs may name files.',
      });
    }
    throw projectFault('project.unreadable', {
      where: path,
      detail: `The system answered ${code === '' ? 'an unknown error' : code}.`,
      fix: 'See that it is a file that you may read.',
      cause: error,
    });
  }
  return parseProject(bytes, path);
}

/** The same from bytes. `path` is the absolute path that they came from. */
export function parseProject(bytes: Uint8Array, path: string): Project {
  const file = basename(path);
  let source: string;
  try {
    source = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw projectFault('project.unreadable', { where: path, detail: 'It is not UTF-8.', fix: 'Save it as UTF-8.' });
  }
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, strict: true });
  const at = (offset: number | undefined): string => {
    if (offset === undefined) return file;
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const trouble = document.errors[0] ?? document.warnings[0];
  if (trouble !== undefined) {
    const fix =
      trouble.code === 'DUPLICATE_KEY'
        ? 'A key may stand once in a mapping: remove or rename one of the two.'
        : trouble.code === 'MULTIPLE_DOCS'
          ? 'Keep one document in the file: remove the --- line and what follows.'
          : undefined;
    const detail = printable(trouble.message);
    throw projectFault('project.unreadable', {
      where: at(trouble.pos[0]),
      detail,
      ...(fix === undefined ? {} : { fix }),
    });
  }
  const invalid = (offset: number | undefined, detail: string, fix?: string): Error =>
    projectFault('project.invalid', { where: at(offset), detail, ...(fix === undefined ? {} : { fix }) });

  let aliases = 0;
  visit(document, {
    Alias(_, alias) {
      aliases += 1;
      if (aliases > ALIASES)
        throw invalid(alias.range?.[0], `It uses more than ${ALIASES} aliases.`, 'Write the values out.');
    },
    Pair(_, pair) {
      const key = pair.key;
      const name = isScalar(key) ? key.value : undefined;
      const offset = isNode(key) ? key.range?.[0] : undefined;
      if (typeof name !== 'string')
        throw invalid(offset, 'A key is not plain text.', 'Write the key as text, in quotes if need be.');
      if (name === '__proto__' || name === '<<')
        throw invalid(offset, `The key ${name} has no meaning here.`, 'Remove it.');
    },
  });
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: ALIASES });
  } catch (error) {
    throw invalid(
      undefined,
      `Its aliases cannot be followed: ${error instanceof Error ? printable(error.message) : ''}.`,
      'Write the values out.',
    );
  }
  if (!isMap(document.contents)) {
    throw invalid(
      document.contents?.range?.[0],
      'It is not a mapping.',
      "Begin with 'sallyport: \"1.0\"'; 'sallyport init' writes an example.",
    );
  }

  const check = <T>(schema: z.ZodType<T>, candidate: unknown, prefix: readonly PropertyKey[]): T => {
    const result = schema.safeParse(candidate);
    if (result.success) return result.data;
    // A misspelt key is also a missing one: the misspelling is what helps.
    const { issues } = result.error;
    const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
    if (issue === undefined) throw new Error('zod refused without an issue');
    const place = [...prefix, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      const key = issue.keys[0]!;
      const known = keysAt(schema, issue.path);
      const near = nearest(key, known);
      throw invalid(
        offsetOf(document, [...place, key], true),
        `The key '${printable(key)}' is not known${place.length === 0 ? '' : ` in ${dotted(place)}`}.`,
        near === undefined
          ? `Known here: ${known.join(', ')}.`
          : `Did you mean '${near}'? Known here: ${known.join(', ')}.`,
      );
    }
    const missing = issue.code === 'invalid_type' && valueAt(value, place) === undefined;
    throw invalid(
      offsetOf(document, place, issue.code === 'invalid_key'),
      missing
        ? `${dotted(place)} is missing.`
        : `${place.length === 0 ? 'It' : dotted(place)}: ${printable(messageOf(issue))}.`,
    );
  };

  const raw = check(projectSchema, value, []);
  const targets: Target[] = Object.entries(raw.targets)
    .map(([name, record]) => ({ name, ...(record as Omit<Target, 'name'>) }))
    .sort((a, b) => compareUtf8(a.name, b.name));
  const targetNames = targets.map((one) => one.name);

  const seen = new Map<string, string>();
  const inputs: InputEntry[] = raw.inputs.map((item, index) => {
    const place = ['inputs', index];
    const offset = offsetOf(document, place, false);
    const [ecosystem, ...others] = Object.keys(item);
    if (
      ecosystem === undefined ||
      !/^[a-z][a-z0-9]*$/.test(ecosystem) ||
      ecosystem === 'from' ||
      ecosystem === 'targets'
    ) {
      throw invalid(
        offset,
        `The first key of input ${index + 1} does not name an ecosystem.`,
        "Write for example '- npm: web/package-lock.json'.",
      );
    }
    const named = item[ecosystem];
    let entry: InputEntry['value'];
    if (typeof named === 'string' && named !== '') entry = named;
    else if (typeof named === 'object' && named !== null && !Array.isArray(named))
      entry = named as Record<string, unknown>;
    else {
      throw invalid(
        offsetOf(document, [...place, ecosystem], false),
        `${ecosystem} of input ${index + 1} names nothing.`,
        "Write a path, for example '- npm: web/package-lock.json'.",
      );
    }
    const options = check(inputOptions, Object.fromEntries(others.map((key) => [key, item[key]])), place);
    for (const name of options.targets ?? []) {
      if (!targetNames.includes(name))
        throw unknownName(offsetOf(document, [...place, 'targets'], false), name, 'target', targetNames);
    }
    if (options.role !== undefined && ecosystem !== 'files') {
      throw invalid(
        offsetOf(document, [...place, 'role'], true),
        `The ${ecosystem} input ${index + 1} has a role.`,
        "Only inputs of kind 'files' have one: remove it.",
      );
    }
    const where = at(offset);
    const key = JSON.stringify([ecosystem, entry]);
    const before = seen.get(key);
    if (before !== undefined) throw invalid(offset, `The input stands at ${before} already.`, 'Remove one of the two.');
    seen.set(key, where);
    return {
      ecosystem,
      value: entry,
      ...(options.from === undefined ? {} : { from: tidy(options.from) }),
      ...(options.name === undefined ? {} : { name: options.name }),
      ...(options.insecure === undefined ? {} : { insecure: options.insecure }),
      ...(options.role === undefined ? {} : { role: options.role }),
      ...(options.targets === undefined ? {} : { targets: [...new Set(options.targets)].sort(compareUtf8) }),
      where,
    };
  });

  const serviceNames = Object.keys(raw.services ?? {});
  function unknownName(offset: number | undefined, name: string, what: string, known: readonly string[]): Error {
    const near = nearest(name, known);
    return invalid(
      offset,
      `There is no ${what} '${printable(name)}'.`,
      `${near === undefined ? '' : `Did you mean '${near}'? `}${known.length === 0 ? `No ${what} is declared.` : `Declared: ${known.join(', ')}.`}`,
    );
  }
  const services: Service[] = Object.entries(raw.services ?? {}).map(([name, one]) => {
    const place = ['services', name];
    const fail = (detail: string, fix: string, key?: string): Error =>
      invalid(offsetOf(document, key === undefined ? place : [...place, key], true), detail, fix);
    if (name === 'outside' || name === 'depot') {
      throw fail(`The name '${name}' has a meaning of its own.`, 'Give the service another name.');
    }
    if ((one.image === undefined) === (one.folder === undefined)) {
      throw fail(`services.${name} must have either an image or a folder.`, "Write 'image: …' or 'folder: …'.");
    }
    if (one.folder !== undefined && one.run === undefined) {
      throw fail(`services.${name} has a folder and no command.`, 'Write \'run: ["node", "server.js"]\' or the like.');
    }
    if (one.image !== undefined && one.install !== undefined) {
      throw fail(`services.${name} is an image, into which nothing is installed.`, "Remove 'install'.", 'install');
    }
    if (one.restarts !== undefined && one.restart !== 'on-failure') {
      throw fail(
        `services.${name} is never started again.`,
        "Write 'restart: on-failure', or remove 'restarts'.",
        'restarts',
      );
    }
    for (const need of one.needs ?? []) {
      if (!serviceNames.includes(need))
        throw unknownName(offsetOf(document, [...place, 'needs'], true), need, 'service', serviceNames);
    }
    return {
      name,
      ...(one.image === undefined ? {} : { image: one.image }),
      ...(one.folder === undefined ? {} : { folder: tidy(one.folder) }),
      ...(one.install === undefined ? {} : { install: one.install }),
      ...(one.run === undefined ? {} : { run: one.run }),
      arguments: one.arguments ?? [],
      ...(one.port === undefined ? {} : { port: one.port }),
      needs: one.needs ?? [],
      environment: one.environment ?? {},
      ...readinessOf(one, fail),
      startWithin: one['start-within'] ?? START_WITHIN,
      restart: one.restart ?? 'never',
      restarts: one.restarts ?? RESTARTS,
    };
  });
  const ring = cycleOf(services);
  if (ring !== undefined) {
    throw invalid(
      offsetOf(document, ['services', ring[0]!, 'needs'], true),
      `Services wait for one another in a ring: ${ring.join(' → ')}.`,
      "Remove one of these 'needs'.",
    );
  }

  const flowAt = new Map<string, number>();
  const flows: Flow[] = (raw.flows ?? []).map((one, index) => {
    const place = ['flows', index];
    if (one.from !== 'outside' && !serviceNames.includes(one.from)) {
      throw unknownName(offsetOf(document, [...place, 'from'], false), one.from, 'service', serviceNames);
    }
    if (!serviceNames.includes(one.to))
      throw unknownName(offsetOf(document, [...place, 'to'], false), one.to, 'service', serviceNames);
    const key = [one.from, one.to, one.port, one.protocol].join(' ');
    const before = flowAt.get(key);
    if (before !== undefined) {
      throw invalid(
        offsetOf(document, place, false),
        `Flow ${index + 1} says the same as flow ${before + 1}.`,
        'Keep one, with one reason and one owner.',
      );
    }
    flowAt.set(key, index);
    const { 'review-by': reviewBy, approver, ticket, expires, ...rest } = one;
    return {
      ...rest,
      ...(approver === undefined ? {} : { approver }),
      ...(ticket === undefined ? {} : { ticket }),
      ...(reviewBy === undefined ? {} : { reviewBy }),
      ...(expires === undefined ? {} : { expires }),
    };
  });

  const requests: ProjectRequest[] = (raw.requests ?? []).map((one, index) => {
    const place = ['requests', index];
    const from = one.from ?? 'outside';
    if (from !== 'outside' && !serviceNames.includes(from)) {
      throw unknownName(offsetOf(document, [...place, 'from'], false), from, 'service', serviceNames);
    }
    const to = services.find(({ name }) => name === one.to);
    if (to === undefined)
      throw unknownName(offsetOf(document, [...place, 'to'], false), one.to, 'service', serviceNames);
    if (to.port === undefined) {
      throw invalid(
        offsetOf(document, [...place, 'to'], false),
        `The service '${to.name}' has no port to ask.`,
        `Write 'port' in services.${to.name}.`,
      );
    }
    return {
      from,
      to: one.to,
      method: one.method ?? 'GET',
      path: one.path,
      headers: one.headers ?? {},
      ...(one.body === undefined ? {} : { body: one.body }),
      expect: {
        status: one.expect.status,
        ...(one.expect.contains === undefined ? {} : { contains: one.expect.contains }),
      },
    };
  });

  const { destinations } = raw;
  const rings =
    destinations === undefined || Array.isArray(destinations)
      ? undefined
      : Object.entries(destinations).map(([ring, sites]) => ({ ring, sites: [...new Set(sites)].sort(compareUtf8) }));

  return {
    path,
    folder: dirname(resolve(path)),
    name: raw.name,
    channel: raw.channel ?? 'main',
    destinations: [
      ...new Set(rings?.flatMap(({ sites }) => sites) ?? (Array.isArray(destinations) ? destinations : [])),
    ].sort(compareUtf8),
    rings: rings ?? [],
    targets,
    prepare: (raw.prepare ?? []).map(({ run, makes, needs, reads, reaches, posts }) => ({
      run,
      makes: tidy(makes),
      needs: needs ?? [],
      ...(reads === undefined ? {} : { reads: reads.map(tidy) }),
      ...(reaches === undefined ? {} : { reaches }),
      posts: posts ?? [],
    })),
    inputs,
    services,
    flows,
    requests,
    timeLimit: raw['time-limit'] ?? TIME_LIMIT,
    limits: limitsOf(raw.limits ?? {}),
  };
}

const MIB = 1024 * 1024;

function limitsOf({
  memory,
  disk,
  processes,
}: NonNullable<z.output<typeof projectSchema>['limits']>): Project['limits'] {
  return {
    ...(memory === undefined ? {} : { memory: memory * MIB }),
    ...(disk === undefined ? {} : { disk: disk * MIB }),
    ...(processes === undefined ? {} : { processes }),
  };
}

/** A declared check with the port of the service where it names none; a port alone is a TCP check. */
function readinessOf(
  one: z.output<typeof service>,
  fail: (detail: string, fix: string, key?: string) => Error,
): { readonly ready?: Readiness } {
  const { ready: declared } = one;
  if (declared === undefined) return one.port === undefined ? {} : { ready: { kind: 'tcp', port: one.port } };
  const ways = (['tcp', 'http', 'run', 'log'] as const).filter((key) => declared[key] !== undefined);
  if (ways.length !== 1) {
    throw fail("'ready' must say one way.", "Write one of 'tcp', 'http', 'run' and 'log'.", 'ready');
  }
  if (declared.http === undefined && (declared.status !== undefined || declared.port !== undefined)) {
    throw fail(
      "In 'ready', 'status' and 'port' belong to 'http'.",
      "Write 'http: /path' beside them, or remove them.",
      'ready',
    );
  }
  if (declared.tcp !== undefined) return { ready: { kind: 'tcp', port: declared.tcp } };
  if (declared.run !== undefined) return { ready: { kind: 'run', run: declared.run } };
  if (declared.log !== undefined) return { ready: { kind: 'log', pattern: declared.log } };
  const asked = declared.port ?? one.port;
  if (asked === undefined)
    throw fail("'ready' asks over HTTP and knows no port.", "Write 'port' beside 'http'.", 'ready');
  return { ready: { kind: 'http', port: asked, path: declared.http ?? '/', status: declared.status ?? 200 } };
}

function isPattern(source: string): boolean {
  try {
    return new RegExp(source, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}

/** `./a//b/` is `a/b`; the folder itself is `.`. */
export function tidy(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.length === 0 ? '.' : parts.join('/');
}

function cycleOf(services: readonly Service[]): string[] | undefined {
  const needs = new Map(services.map((one) => [one.name, one.needs]));
  const done = new Set<string>();
  const walk = (name: string, way: string[]): string[] | undefined => {
    const start = way.indexOf(name);
    if (start >= 0) return [...way.slice(start), name];
    if (done.has(name)) return undefined;
    for (const next of needs.get(name) ?? []) {
      const found = walk(next, [...way, name]);
      if (found !== undefined) return found;
    }
    done.add(name);
    return undefined;
  };
  for (const one of services) {
    const found = walk(one.name, []);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Where a path of keys stands in the text; the nearest parent where it does not stand there. */
function offsetOf(document: Document, path: readonly PropertyKey[], key: boolean): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const part = path.slice(0, length);
    if (length > 0) {
      const parent: unknown = length === 1 ? document.contents : document.getIn(part.slice(0, -1), true);
      const map = isAlias(parent) ? parent.resolve(document) : parent;
      if (isMap(map)) {
        const pair = map.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === part.at(-1));
        if (pair !== undefined) {
          const node = key || !isNode(pair.value) ? pair.key : pair.value;
          if (isNode(node) && node.range) return node.range[0];
        }
      }
    }
    const node: unknown = length === 0 ? document.contents : document.getIn(part, true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return undefined;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<PropertyKey, unknown>)[part];
  }
  return at;
}

/** The keys that a schema knows at a path. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema;
  for (const part of path) {
    at = unwrap(at);
    if (at instanceof z.ZodObject) at = (at.shape as Record<PropertyKey, unknown>)[part];
    else if (at instanceof z.ZodArray) at = at.element;
    else if (at instanceof z.ZodRecord) at = at.valueType;
  }
  at = unwrap(at);
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function unwrap(schema: unknown): unknown {
  return schema instanceof z.ZodOptional ? unwrap(schema.unwrap()) : schema;
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  return issue.message.replace(/^Invalid input: /, '');
}

function dotted(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) text += typeof part === 'number' ? `[${part}]` : `${text === '' ? '' : '.'}${String(part)}`;
  return printable(text);
}
