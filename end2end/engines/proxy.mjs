// What the host resolver rules are to Chromium, for the other engines: a SOCKS proxy through which every name
// leads to this machine, *.test to the port that was asked for, any other to the recorder.
import net from 'node:net';

import { vendors } from '../vendors.mjs';

const NO_AUTHENTICATION = Buffer.from([5, 0]);
const CONNECTED = Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
const REFUSED = Buffer.from([5, 2, 0, 1, 0, 0, 0, 0, 0, 0]);
const IPV4 = 1;
const NAME = 3;

/** The host and port that a SOCKS request asks for; null if it is no connection to a name or an IPv4 address. */
function destination(request) {
  const [, command, , kind, length] = request;
  if (command !== 1) return null;
  if (kind === IPV4) return { host: request.subarray(4, 8).join('.'), port: request.readUInt16BE(8) };
  if (kind === NAME) return { host: request.toString('latin1', 5, 5 + length), port: request.readUInt16BE(5 + length) };
  return null;
}

const isOurs = (host) => host === '127.0.0.1' || host.endsWith('.test');

/** Starts proxy and recorder: `{ port, recorder, close() }`. */
export async function proxy() {
  const recorder = await vendors();
  const sockets = new Set();
  const track = (socket, other) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => other()?.destroy());
  };
  const server = net.createServer((client) => {
    let target;
    track(client, () => target);
    // Both sides wait for each other's answer, so that on loopback each message comes in one piece.
    client.once('data', () => {
      client.write(NO_AUTHENTICATION);
      client.once('data', (request) => {
        const wanted = destination(request);
        if (!wanted) return client.end(REFUSED);
        target = net.connect(isOurs(wanted.host) ? wanted.port : recorder.port, '127.0.0.1', () => {
          client.pipe(target).pipe(client);
          client.write(CONNECTED);
        });
        track(target, () => client);
      });
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: server.address().port,
    recorder,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      recorder.close();
    },
  };
}
