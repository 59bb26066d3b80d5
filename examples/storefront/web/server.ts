// The shop's front: pages for people and a small JSON interface. It knows the API only; where the data is kept is the
// API's business, and no flow from here to the data service is declared.
import compression from 'compression';
import express, { type NextFunction, type Request, type Response } from 'express';
import { rateLimit } from 'express-rate-limit';
import helmet from 'helmet';
import { pino } from 'pino';
import { pinoHttp } from 'pino-http';
import { collectDefaultMetrics, register } from 'prom-client';
import { request } from 'undici';
import { z } from 'zod';

const settings = z
  .object({
    HOST: z.string().default('0.0.0.0'),
    PORT: z.coerce.number().int().min(1).max(65_535).default(8080),
    API_URL: z.url().default('http://127.0.0.1:8000'),
    LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('warn'),
  })
  .parse(process.env);

const newOrder = z.object({ item: z.string().min(1).max(64), quantity: z.coerce.number().int().min(1).max(1000) });
const order = newOrder.extend({ id: z.string(), total: z.number(), sequence: z.number() });

const log = pino({ level: settings.LOG_LEVEL });
collectDefaultMetrics();

async function api(path: string, body?: object): Promise<{ status: number; answer: unknown }> {
  const reply = await request(new URL(path, settings.API_URL), {
    method: body === undefined ? 'GET' : 'POST',
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    headersTimeout: 5_000,
    bodyTimeout: 5_000,
  });
  return { status: reply.statusCode, answer: await reply.body.json() };
}

const app = express();
app.disable('x-powered-by');
app.use(helmet(), compression(), pinoHttp({ logger: log }));

app.get('/', (_: Request, response: Response) => {
  response.type('html').send('<!doctype html><title>Storefront</title><h1>Storefront</h1><p>Orders: POST /orders</p>');
});
app.get('/health', (_: Request, response: Response) => {
  response.json({ status: 'ok' });
});
app.get('/metrics', async (_: Request, response: Response) => {
  response.type(register.contentType).send(await register.metrics());
});

app.use('/orders', rateLimit({ windowMs: 60_000, limit: 600 }), express.json({ limit: '16kb' }));
app.post('/orders', async (incoming: Request, response: Response) => {
  const wanted = newOrder.safeParse(incoming.body);
  if (!wanted.success) {
    response.status(422).json({ error: 'not an order', fields: z.flattenError(wanted.error).fieldErrors });
    return;
  }
  const { status, answer } = await api('/orders', wanted.data);
  response.status(status).json(answer);
});

// The deep check of the whole system: an order goes web -> api -> data, and is read back the same way.
app.get('/health/orders', async (_: Request, response: Response) => {
  const wanted = { item: 'storm-lantern', quantity: 2 };
  const placed = order.parse((await api('/orders', wanted)).answer);
  const kept = order.parse((await api(`/orders/${placed.sequence}`)).answer);
  const whole = kept.id === placed.id && kept.item === wanted.item && kept.quantity === wanted.quantity;
  response.status(whole ? 200 : 502).json({ status: whole ? 'order placed and read back' : 'order lost', order: kept });
});

app.use((error: Error, _: Request, response: Response, next: NextFunction) => {
  if (response.headersSent) {
    next(error);
    return;
  }
  log.error(error);
  response.status(502).json({ error: 'the API did not answer as it should', detail: error.message });
});

const server = app.listen(settings.PORT, settings.HOST, (error?: Error) => {
  if (error !== undefined) throw error;
  log.info({ host: settings.HOST, port: settings.PORT }, 'listening');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    server.closeAllConnections();
    server.close();
  });
}
