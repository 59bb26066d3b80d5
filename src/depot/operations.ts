import { z } from 'zod';
import { type Clock, type Files, type Home, operation, type Operation } from '#kernel';

const serveInput = z.object({
  listen: z.string().optional(),
  home: z.string().optional(),
  insecureNoAuth: z.boolean().optional(),
  tlsCert: z.string().optional(),
  tlsKey: z.string().optional(),
  tokenFile: z.string().optional(),
  journal: z.string().optional(),
});
export type ServeInput = z.infer<typeof serveInput>;

const serveOutput = z.object({
  listening: z.array(z.string()),
  pid: z.number(),
  home: z.string(),
  /** Where a line is written for each artifact that went out, and for each that was asked for in vain. */
  served: z.string(),
  misses: z.string(),
});
export type ServeOutput = z.infer<typeof serveOutput>;

/**
 * Brings the database of a home up to its ledger, which is ahead after a power cut in the middle of an admission. It
 * comes from above: what an admission is, the depot does not know.
 */
export type Recover = (files: Files, home: Home, clock: Clock) => Promise<void>;

export const serveOperation = (recover: Recover): Operation<ServeInput, ServeOutput> =>
  operation<ServeInput, ServeOutput>({
    name: ['serve'],
    summary: 'Serve what was admitted: npm, PyPI, OCI images and files, each by its own protocol',
    parameters: [
      {
        key: 'listen',
        form: '--listen ADDR:PORT',
        help: 'where to listen (default 127.0.0.1:4873; port 0 takes a free one)',
      },
      { key: 'tlsCert', form: '--tls-cert FILE', help: 'certificate with its intermediates, PEM' },
      { key: 'tlsKey', form: '--tls-key FILE', help: 'its private key, PEM' },
      {
        key: 'tokenFile',
        form: '--token-file FILE',
        help: 'who may ask: one token a line, if wanted a name before it',
      },
      {
        key: 'insecureNoAuth',
        form: '--insecure-no-auth',
        help: 'listen beyond this machine without TLS and tokens, on a network that is trusted whole',
      },
      {
        key: 'journal',
        form: '--journal DIR',
        help: 'where it writes what went out and what is missing (default: the home), for a second depot over one home',
      },
    ],
    input: serveInput,
    output: serveOutput,
    load: async () => (await import('./verbs/serve.ts')).serveVerb(recover),
  });

const clientConfigInput = z.object({ client: z.string().optional(), url: z.string().optional() });
export type ClientConfigInput = z.infer<typeof clientConfigInput>;

const clientConfigOutput = z.union([
  z.object({
    client: z.string(),
    summary: z.string(),
    text: z.string(),
    environment: z.record(z.string(), z.string()),
  }),
  z.object({
    clients: z.array(z.object({ client: z.string(), ecosystem: z.string(), summary: z.string() })),
  }),
]);
export type ClientConfigOutput = z.infer<typeof clientConfigOutput>;

export const clientConfig = operation<ClientConfigInput, ClientConfigOutput>({
  name: ['client-config'],
  summary: 'Print what a client needs in order to use the depot; without a client, list those that are known',
  parameters: [
    { key: 'client', form: '[CLIENT]', help: 'npm, pip, skopeo, containerd, curl, …' },
    { key: 'url', form: '--url BASE', help: "the depot's address (default http://127.0.0.1:4873)" },
  ],
  input: clientConfigInput,
  output: clientConfigOutput,
  load: async () => (await import('./verbs/client-config.ts')).clientConfigVerb,
});
