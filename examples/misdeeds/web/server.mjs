// Says what came of the misdeeds when its package was installed, and commits them again as it runs.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { commit, lookForDaemon } from 'helpful-widgets';

const path = new URL('node_modules/helpful-widgets/account.json', import.meta.url);
const installing = JSON.parse(readFileSync(path, 'utf8'));
const accounts = (async () => ({
  installing: { ...installing, daemon: await lookForDaemon() },
  running: await commit(),
}))();

createServer(async (request, response) => {
  const name = new URL(request.url, 'http://web').pathname.split('/').pop();
  const told = Object.entries(await accounts).flatMap(([when, account]) =>
    name in account ? [[when, account[name]]] : [],
  );
  const achieved = told.filter(([, one]) => one.achieved).map(([when]) => when);
  response.writeHead(told.length > 0 ? 200 : 404);
  response.end(JSON.stringify({ misdeed: name, achieved, ...Object.fromEntries(told) }));
}).listen(process.env.PORT);
