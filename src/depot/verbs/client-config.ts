import { ecosystems } from '#ecosystems/list';
import type { ClientConfig } from '#ecosystems';
import { type Implementation, printable } from '#kernel';
import { depotFault } from '../faults.ts';
import { DEFAULT_LISTEN } from '../listen.ts';
import type { ClientConfigInput, ClientConfigOutput } from '../operations.ts';

export const clientConfigVerb: Implementation<ClientConfigInput, ClientConfigOutput> = {
  async run({ client, url }) {
    const known: { readonly ecosystem: string; readonly config: ClientConfig }[] = [];
    for (const { id, inside } of ecosystems) {
      for (const config of (await inside()).clients) known.push({ ecosystem: id, config });
    }
    if (client === undefined) {
      return {
        clients: known.map(({ ecosystem, config }) => ({ client: config.client, ecosystem, summary: config.summary })),
      };
    }
    const base = baseOf(url ?? `http://${DEFAULT_LISTEN}`);
    const meant = known.filter(({ config }) => config.client === client.toLowerCase()).map(({ config }) => config);
    if (meant.length === 0) {
      throw depotFault('depot.unknown-client', {
        where: printable(client),
        detail: `Known are: ${known.map(({ config }) => config.client).join(', ')}.`,
      });
    }
    return {
      client: client.toLowerCase(),
      summary: meant.map((config) => config.summary).join(' '),
      text: meant.map((config) => config.render(base)).join('\n'),
      environment: Object.assign({}, ...meant.map((config) => config.environment(base))) as Record<string, string>,
    };
  },

  exit: () => 0,

  show(output, style) {
    if ('text' in output) return output.text.trimEnd();
    const width = Math.max(...output.clients.map(({ client }) => client.length));
    return output.clients.map(({ client, summary }) => `${style.bold(client.padEnd(width))}  ${summary}`).join('\n');
  },
};

/** Scheme, host and port; anything more would be written into clients' configurations by mistake. */
function baseOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (
    parsed === undefined ||
    !/^https?:$/.test(parsed.protocol) ||
    parsed.host === '' ||
    !/^\/?$/.test(parsed.pathname) ||
    `${parsed.username}${parsed.password}${parsed.search}${parsed.hash}` !== ''
  ) {
    throw depotFault('depot.base-malformed', { where: printable(url) });
  }
  return parsed.origin;
}
