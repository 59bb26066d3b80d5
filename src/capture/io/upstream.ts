import { dirname, join } from 'node:path';
import type { ClientSettings, Upstream, UpstreamRequest } from '#ecosystems';
import type { World } from '#kernel';
import type { Store } from '#store';
import {
  type EffectiveSettings,
  type Network,
  npmSettings,
  ociSettings,
  pipSettings,
  plainSettings,
  type SettingsOptions,
} from '#system';
import { isInside } from '../inputs.ts';

/** The way out of one capture. */
export interface Outside {
  /** The port that an ecosystem gets for an input: settings are those of the client in the input's own folder. */
  upstreamFor(inputPath: string): Upstream;
  /** A client's settings in the folder of an input. */
  settings(client: UpstreamRequest['client'], inputPath: string): Promise<EffectiveSettings>;
  /** What settings said that a careful user should know. */
  notes(): readonly string[];
}

const READERS: Readonly<Record<UpstreamRequest['client'], (options: SettingsOptions) => Promise<EffectiveSettings>>> = {
  npm: npmSettings,
  pip: pipSettings,
  oci: ociSettings,
  files: plainSettings,
};

export function openOutside(world: World, folder: string, store: Store, network: Network): Outside {
  const settings = new Map<string, Promise<EffectiveSettings>>();
  const notes = new Set<string>();

  function settingsOf(client: UpstreamRequest['client'], inputPath: string): Promise<EffectiveSettings> {
    // Only npm reads settings from the folder in which it runs.
    const at = client === 'npm' && isInside(inputPath) ? dirname(join(folder, inputPath)) : folder;
    const key = `${client}\0${at}`;
    let found = settings.get(key);
    if (found === undefined) {
      found = READERS[client]({ files: world.files, env: world.env, folder: at, signal: world.signal });
      settings.set(key, found);
      found.then(
        (read) => read.notes.forEach((note) => notes.add(note)),
        () => settings.delete(key),
      );
    }
    return found;
  }

  return {
    settings: settingsOf,
    notes: () => [...notes],
    upstreamFor: (inputPath): Upstream => ({
      content: store,
      report: world.report,
      signal: world.signal,
      keep: (bytes) => store.put(bytes),
      async settings(client): Promise<ClientSettings> {
        const { registries, scopes } = await settingsOf(client, inputPath);
        return { registries, scopes };
      },
      async getBytes(request, limit) {
        const { route } = await settingsOf(request.client, inputPath);
        const headers: Record<string, string> = {};
        for (const [name, value] of Object.entries(request.headers ?? {})) headers[name.toLowerCase()] = value;
        const owner = request.credentialsOf === undefined ? undefined : ownerOf(request.credentialsOf);
        if (owner !== undefined && mayCarrySecrets(request.url)) {
          const authorization = route.authorization?.(owner);
          if (authorization !== undefined) headers['authorization'] = authorization;
        }
        return network.getBytes({ url: request.url, headers, route }, limit);
      },
    }),
  };
}

function ownerOf(host: string): URL | undefined {
  return URL.canParse(`https://${host}/`) ? new URL(`https://${host}/`) : undefined;
}

/** Secrets that belong to another host leave only over https, or to this machine. */
function mayCarrySecrets(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname } = new URL(address);
  return protocol === 'https:' || hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
}
