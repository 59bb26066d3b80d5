import type { Closure, OutsideHalf, ProjectInput, Upstream, Wanted } from '#ecosystems';
import { compareUtf8, type Evidence, isObject, printable, type Target } from '#kernel';
import { ociFault } from './faults.ts';
import { layoutSource } from './layout.ts';
import {
  checkContent,
  type Descriptor,
  isImageConfig,
  MANIFEST_TYPES,
  type Manifest,
  parseManifest,
  type Platform,
  refuseForeign,
} from './manifest.ts';
import { describePlatform, runsOn } from './platform.ts';
import { isTag, parseReference, type Reference } from './reference.ts';
import { type Given, type ImageSource, registrySource } from './registry.ts';

/** Index in index in index: more than any build tool writes, and enough for signatures of signatures. */
const DEPTH_LIMIT = 8;
const MANIFESTS_LIMIT = 5000;
const CONFIG_LIMIT = 8 * 1024 * 1024;
/** cosign's names for what belongs to a digest, from before the referrers API. */
const SUFFIXES = ['', '.sig', '.att', '.sbom'];
/** The `{}` of the image specification (1.1, manifest.md): config and layer of many artifacts at once. */
const EMPTY = 'application/vnd.oci.empty.v1+json';

export const ociOutside: OutsideHalf = {
  recognise: (path) => path === 'oci-layout' || path.endsWith('/oci-layout'),

  async resolve(input, targets, upstream): Promise<Closure> {
    const { reference, from, insecure } = entryOf(input);
    const source =
      from === undefined ? registrySource(upstream, reference, insecure) : await layoutSource(input, from, reference);
    return new Walk(input, reference, source, targets, upstream, from !== undefined).run();
  },
};

interface Entry {
  readonly reference: Reference;
  readonly from: string | undefined;
  readonly insecure: boolean | undefined;
}

/** The entry of sallyport.yaml: `oci: NAME[:TAG][@DIGEST]`, and beside it `from: FOLDER` and `insecure: true`. */
export function entryOf(input: ProjectInput): Entry {
  const refuse = (detail: string): Error => ociFault('oci.input-malformed', { where: printable(input.path), detail });
  const given = input.options['oci'] ?? input.options['image'];
  const record = isObject(given) ? given : input.options;
  const name = typeof given === 'string' ? given : (record['image'] ?? record['name'] ?? input.path);
  if (typeof name !== 'string') throw refuse('The name of the image is not a text.');
  const { from, insecure } = { from: record['from'], insecure: record['insecure'] };
  if (from !== undefined && typeof from !== 'string') throw refuse('from is not a folder.');
  if (insecure !== undefined && typeof insecure !== 'boolean') throw refuse('insecure is not true or false.');
  const folder = from?.replace(/^(\.\/)+/, '').replace(/\/+$/, '');
  if (folder !== undefined && (folder === '' || folder.startsWith('/') || folder.split('/').includes('..'))) {
    throw refuse('from must name a folder below that of sallyport.yaml.');
  }
  return { reference: parseReference(name, input.path), from: folder, insecure };
}

type TargetSet = 'any' | ReadonlySet<string>;

/** One image and all that hangs on it: tag to digest first, then index, manifests, config, layers, referrers. */
class Walk {
  readonly #wanted = new Map<string, Wanted & { readonly targets: 'any' | readonly string[] }>();
  readonly #pointers = new Map<string, string>();
  readonly #notes: string[] = [];
  readonly #visited = new Map<string, TargetSet>();
  readonly #input: ProjectInput;
  readonly #reference: Reference;
  readonly #source: ImageSource;
  readonly #targets: readonly Target[];
  readonly #upstream: Upstream;
  readonly #local: boolean;

  constructor(
    input: ProjectInput,
    reference: Reference,
    source: ImageSource,
    targets: readonly Target[],
    upstream: Upstream,
    local: boolean,
  ) {
    this.#input = input;
    this.#reference = reference;
    this.#source = source;
    this.#targets = targets;
    this.#upstream = upstream;
    this.#local = local;
  }

  async run(): Promise<Closure> {
    const { tag, digest, authority, name } = this.#reference;
    const which = digest ?? tag ?? 'latest';
    const given = await this.#source.manifest(which);
    if (given === undefined) {
      throw ociFault('oci.registry-answer', { where: this.#source.label, detail: `It has no manifest ${which}.` });
    }
    // From here on everything is asked by digest: a tag that moves meanwhile cannot mix two images (a race that other
    // mirrors have).
    const pinned = digest ?? (await this.#digestOf(given));
    if (tag !== undefined) this.#pointers.set(tag, pinned);
    // A project's own layout, or a digest that the project wrote, vouches; a tag of a registry is believed once.
    const vouched = digest !== undefined || this.#local;
    await this.#manifest(pinned, given, this.#targets, 0, {
      source: vouched ? this.#input.path : 'first-use',
      grade: vouched ? 'strong' : 'first-use',
    });
    return {
      artifacts: [...this.#wanted.values()].sort((a, b) => compareUtf8(a.version, b.version)),
      documents: [],
      pointers: [...this.#pointers]
        .map(([pointer, value]) => ({ ecosystem: 'oci', authority, name, version: '', file: '', pointer, value }))
        .sort((a, b) => compareUtf8(a.pointer, b.pointer)),
      notes: this.#notes,
    };
  }

  #digestOf(given: Given): Promise<string> {
    return this.#upstream.keep(given.bytes);
  }

  /** A manifest or index, everything below it, and everything that refers to it. */
  async #manifest(
    digest: string,
    given: Given,
    targets: readonly Target[] | TargetSet,
    depth: number,
    vouch: { readonly source: string; readonly grade: Evidence['grade'] },
  ): Promise<TargetSet> {
    const where = `${this.#reference.authority}/${this.#reference.name}@${digest}`;
    this.#upstream.signal.throwIfAborted();
    if (depth > DEPTH_LIMIT) throw ociFault('oci.too-deep', { where, detail: `More than ${DEPTH_LIMIT} levels.` });
    if (this.#visited.size >= MANIFESTS_LIMIT) {
      throw ociFault('oci.too-deep', { where, detail: `More than ${MANIFESTS_LIMIT} manifests.` });
    }
    const manifest = parseManifest(given.bytes, given.media, where);
    const fixed = Array.isArray(targets) ? undefined : (targets as TargetSet);
    const all = Array.isArray(targets) ? (targets as readonly Target[]) : undefined;
    const mine = fixed ?? (manifest.kind === 'index' ? 'any' : await this.#targetsOf(manifest, all ?? [], where));
    const before = this.#visited.get(digest);
    if (before !== undefined && covers(before, mine)) return before;
    this.#visited.set(digest, before === undefined ? mine : union(before, mine));

    const absent =
      manifest.kind === 'index'
        ? await this.#children(manifest.manifests, all, mine, depth, where)
        : this.#content(manifest, mine, where);
    const artifactType =
      manifest.artifactType !== '' || manifest.kind === 'index' ? manifest.artifactType : manifest.config.mediaType;
    await this.#addManifest(digest, given, manifest, mine, vouch, {
      ...(await absent).facts,
      ...(manifest.subject === undefined ? {} : { subject: manifest.subject.digest, artifactType }),
    });
    await this.#referrers(digest, mine, depth, where);
    return mine;
  }

  /** The targets that a single manifest runs on; every target where it is no container image. */
  async #targetsOf(
    manifest: Manifest & { kind: 'manifest' },
    targets: readonly Target[],
    where: string,
  ): Promise<TargetSet> {
    if (!isImageConfig(manifest.config)) return 'any';
    const platform = platformOf(await this.#source.blob(manifest.config, CONFIG_LIMIT), where);
    const runs = targets.filter((target) => runsOn(target, platform));
    if (runs.length === 0) {
      throw ociFault('oci.no-platform', {
        where,
        detail: `It is for ${describePlatform(platform)}; targets: ${targets.map((one) => `${one.name} (${one.os}/${one.arch})`).join(', ')}.`,
      });
    }
    return runs.length === targets.length ? 'any' : new Set(runs.map((one) => one.name));
  }

  /** The children that the targets need. The index itself stays whole, byte for byte; what is absent is written down. */
  async #children(
    children: readonly Descriptor[],
    targets: readonly Target[] | undefined,
    inherited: TargetSet,
    depth: number,
    where: string,
  ): Promise<{ readonly facts: Readonly<Record<string, string>> }> {
    const kept = new Map<string, TargetSet>();
    const left: { readonly child: Descriptor; readonly platform: Platform }[] = [];
    for (const child of children) {
      const { platform } = child;
      if (platform === undefined || platform.os === '' || platform.os === 'unknown') {
        // BuildKit's attestations stand beside the image that they are about; without one they are for everybody.
        const about = child.annotations['vnd.docker.reference.digest'];
        if (about === undefined) kept.set(child.digest, inherited);
        continue;
      }
      const runs = targets?.filter((target) => runsOn(target, platform));
      if (runs === undefined) kept.set(child.digest, inherited);
      else if (runs.length === 0) left.push({ child, platform });
      else {
        const set: TargetSet = runs.length === targets?.length ? 'any' : new Set(runs.map((one) => one.name));
        const known = kept.get(child.digest);
        kept.set(child.digest, known === undefined ? set : union(known, set));
      }
    }
    for (const child of children) {
      const about = child.annotations['vnd.docker.reference.digest'];
      if (about === undefined || kept.has(child.digest)) continue;
      const set = kept.get(about);
      if (set !== undefined) kept.set(child.digest, set);
      else if (child.platform !== undefined) left.push({ child, platform: child.platform });
    }
    const names = (): string => [...new Set(left.map(({ platform }) => describePlatform(platform)))].sort().join(', ');
    if (kept.size === 0 && children.length > 0) {
      throw ociFault('oci.no-platform', { where, detail: `It has ${names()}.` });
    }
    const covered = [...kept.values()];
    for (const target of targets ?? []) {
      if (covered.some((set) => set === 'any' || set.has(target.name))) continue;
      this.#notes.push(`${where} has nothing for the target ${target.name} (${target.os}/${target.arch}).`);
    }
    if (left.length > 0) this.#notes.push(`${where}: left outside, because no target needs them: ${names()}.`);

    for (const child of children) {
      const set = kept.get(child.digest);
      if (set === undefined) continue;
      const given = await this.#source.manifest(child.digest);
      if (given === undefined) {
        throw ociFault('oci.registry-answer', {
          where,
          detail: `The index names ${child.digest}, and it is not there.`,
        });
      }
      checkContent(given.bytes, child.digest, child.size, `${where}, ${child.digest}`);
      checkData(child, where);
      // A child without platform may be an index of its own, whose children are chosen again.
      const next = child.platform === undefined && targets !== undefined && set === inherited ? targets : set;
      await this.#manifest(child.digest, agree(given, child, where), next, depth + 1, {
        source: 'index',
        grade: 'strong',
      });
    }
    const absent = [...new Set(left.map(({ child, platform }) => `${child.digest}=${describePlatform(platform)}`))];
    return { facts: absent.length === 0 ? {} : { absent: absent.sort(compareUtf8).join(' ') } };
  }

  async #content(
    manifest: Manifest & { kind: 'manifest' },
    targets: TargetSet,
    where: string,
  ): Promise<{ readonly facts: Readonly<Record<string, string>> }> {
    for (const layer of manifest.layers) refuseForeign(layer, where);
    refuseForeign(manifest.config, where);
    await this.#addBlob(manifest.config, 'config', targets, where);
    for (const layer of manifest.layers) await this.#addBlob(layer, 'layer', targets, where);
    return { facts: {} };
  }

  /** By the API, by the tag that stands in for it, and by cosign's tags (image specification 1.1; distribution 1.1). */
  async #referrers(digest: string, targets: TargetSet, depth: number, where: string): Promise<void> {
    const tags = SUFFIXES.map((suffix) => digest.replace(':', '-') + suffix).filter(isTag);
    // All at once: most registries answer "no" five times, and each answer takes a round trip.
    const [described, tagged] = await Promise.all([
      this.#source.referrers(digest),
      Promise.all(tags.map((tag) => this.#source.manifest(tag))),
    ]);
    for (const descriptor of described) {
      const given = await this.#source.manifest(descriptor.digest);
      if (given === undefined) {
        this.#notes.push(`${where}: ${descriptor.digest} refers to it, but the registry does not have it.`);
        continue;
      }
      checkContent(given.bytes, descriptor.digest, descriptor.size, `${where}, ${descriptor.digest}`);
      await this.#manifest(descriptor.digest, agree(given, descriptor, where), targets, depth + 1, {
        source: 'index',
        grade: 'strong',
      });
    }
    for (const [i, tag] of tags.entries()) {
      const given = tagged[i];
      if (given === undefined) continue;
      const found = await this.#digestOf(given);
      this.#pointers.set(tag, found);
      await this.#manifest(found, given, targets, depth + 1, { source: 'first-use', grade: 'first-use' });
    }
  }

  async #addManifest(
    digest: string,
    given: Given,
    manifest: Manifest,
    targets: TargetSet,
    vouch: { readonly source: string; readonly grade: Evidence['grade'] },
    more: Readonly<Record<string, string>>,
  ): Promise<void> {
    const content = this.#local ? [] : [{ kind: 'content' as const, digest: await this.#upstream.keep(given.bytes) }];
    this.#add(digest, given.bytes.length, manifest.mediaType, targets, vouch, {
      sources: [...content, ...(await this.#source.sources(digest, 'manifests'))],
      facts: { ...more, kind: manifest.kind, mediaType: manifest.mediaType },
    });
  }

  async #addBlob(blob: Descriptor, kind: 'config' | 'layer', targets: TargetSet, where: string): Promise<void> {
    checkData(blob, where);
    const known = this.#wanted.get(blob.digest);
    if (known !== undefined && known.size !== blob.size) {
      throw ociFault('oci.size-mismatch', { where, detail: `${blob.digest} is named with two sizes.` });
    }
    this.#add(
      blob.digest,
      blob.size,
      blob.mediaType,
      targets,
      { source: 'index', grade: 'strong' },
      {
        sources: await this.#source.sources(blob.digest, 'blobs'),
        facts: { kind: blob.mediaType === EMPTY ? 'layer' : kind, mediaType: blob.mediaType },
      },
    );
  }

  #add(
    digest: string,
    size: number,
    media: string,
    targets: TargetSet,
    vouch: { readonly source: string; readonly grade: Evidence['grade'] },
    rest: Pick<Wanted, 'sources' | 'facts'>,
  ): void {
    const known = this.#wanted.get(digest);
    const [algorithm, value] = digest.split(':') as ['sha256' | 'sha512', string];
    const all: TargetSet =
      known === undefined ? targets : union(known.targets === 'any' ? 'any' : new Set(known.targets), targets);
    this.#wanted.set(digest, {
      ecosystem: 'oci',
      authority: this.#reference.authority,
      name: this.#reference.name,
      version: digest,
      file: '',
      targets: all === 'any' ? 'any' : [...all].sort(compareUtf8),
      sources: known?.sources ?? rest.sources,
      expected: known?.expected ?? [{ algorithm, value, scope: 'file', ...vouch }],
      size,
      media: known?.media ?? media,
      published: '',
      facts: known === undefined ? sorted(rest.facts) : known.facts,
    });
  }
}

/** The platform of a container image, from its config (image specification 1.1, config.md). */
function platformOf(bytes: Uint8Array, where: string): Platform {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    document = undefined;
  }
  if (!isObject(document) || typeof document['os'] !== 'string' || typeof document['architecture'] !== 'string') {
    throw ociFault('oci.manifest-malformed', { where, detail: 'Its config names no os and architecture.' });
  }
  const variant = document['variant'];
  return {
    os: document['os'],
    architecture: document['architecture'],
    variant: typeof variant === 'string' ? variant : '',
  };
}

/** What the descriptor and what the sender call a manifest must be the same (CVE-2021-41190). */
function agree(given: Given, descriptor: Descriptor, where: string): Given {
  const said = given.media.split(';')[0]?.trim() ?? '';
  if (MANIFEST_TYPES.includes(said) && said !== descriptor.mediaType) {
    throw ociFault('oci.manifest-ambiguous', {
      where,
      detail: `${descriptor.digest} is named as ${printable(descriptor.mediaType)} and came as ${printable(said)}.`,
    });
  }
  return { bytes: given.bytes, media: descriptor.mediaType };
}

function checkData(descriptor: Descriptor, where: string): void {
  if (descriptor.data === undefined) return;
  checkContent(Buffer.from(descriptor.data, 'base64'), descriptor.digest, descriptor.size, `${where}, data`);
}

function union(a: TargetSet, b: TargetSet): TargetSet {
  return a === 'any' || b === 'any' ? 'any' : new Set([...a, ...b]);
}

function covers(a: TargetSet, b: TargetSet): boolean {
  return a === 'any' || (b !== 'any' && [...b].every((name) => a.has(name)));
}

function sorted(facts: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(facts).sort(([a], [b]) => compareUtf8(a, b)));
}
