/**
 * One request to an ssh-agent, as a process of its own: what asks for a signature waits for it, and a socket cannot be
 * waited for in any other way. The request's body stands on standard input, the answer's goes to standard output.
 */
import { connect } from 'node:net';

const LIMIT = 1024 * 1024;
const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
const body = Buffer.concat(chunks);
const length = Buffer.alloc(4);
length.writeUInt32BE(body.length);

const socket = connect(process.argv[2] ?? '');
socket.setTimeout(60_000, () => socket.destroy(new Error('it does not answer')));
socket.write(Buffer.concat([length, body]));
let answer = Buffer.alloc(0);
try {
  for await (const chunk of socket) {
    answer = Buffer.concat([answer, chunk as Buffer]);
    if (answer.length >= 4 && answer.readUInt32BE() > LIMIT) throw new Error('its answer is too long');
    if (answer.length >= 4 && answer.length >= 4 + answer.readUInt32BE()) break;
  }
  if (answer.length < 4 || answer.length < 4 + answer.readUInt32BE()) throw new Error('it ended in the middle');
  process.stdout.write(answer.subarray(4, 4 + answer.readUInt32BE()));
} catch (error) {
  process.stderr.write(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
} finally {
  socket.destroy();
}
