// What a stolen package would do first. It ends well whatever came of it: nobody should notice.
import { writeFileSync } from 'node:fs';
import { commit, startDaemon } from './misdeeds.mjs';

const account = await commit();
account.daemon = await startDaemon();
writeFileSync(new URL('account.json', import.meta.url), JSON.stringify(account));
