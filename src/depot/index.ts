export { depotCatalogue } from './faults.ts';
export { type DepotOptions, depotHandler } from './handler.ts';
export { type Depot, type DepotSettings, openDepot } from './io/depot.ts';
export { type Journal, type Missed, type Served } from './journal.ts';
export { DEFAULT_LISTEN, type Listen, parseListen } from './listen.ts';
