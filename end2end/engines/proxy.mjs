// What the host resolver rules are to Chromium, for the other engines: a SOCKS proxy through which every name
// leads to this machine: the names that are ours to the port that was asked for, any other to the recorder, `invalid` nowhere.
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

/** Whether one of the patterns, as Chromium's resolver rules have them, names a host. */
const names = (patterns, host) => [...patterns].some((pattern) => (pattern.startsWith('*') ? host.endsWith(pattern.slice(1)) : host === pattern));

/** The start of a request without TLS. */
const REQUEST = /^(?:GET|POST|HEAD|OPTIONS) (\S+) HTTP\/1\.1\r\n[^]*?\r\nhost: *(\S+)/i;

/**
 * Starts proxy and recorder: `{ port, ours, recorder, seen, close() }`. `ours` are the names of this machine, `seen`
 * the addresses of all requests that came through, in order: what stands for the log of a browser that tells of none.
 */
export async function proxy() {
  const seen = [];
  const ours = new Set(['127.0.0.1', 'localhost']);
  const recorder = await vendors(({ scheme, host, path }) => seen.push(`${scheme}//${host}${path}`));
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
        if (!wanted || wanted.host.endsWith('.invalid')) return client.end(REFUSED);
        const local = names(ours, wanted.host);
        target = net.connect(local ? wanted.port : recorder.port, '127.0.0.1', () => {
          if (local) {
            client.on('data', (sent) => {
              const [, path, host] = REQUEST.exec(sent.toString('latin1')) ?? [];
              if (path) seen.push(`http://${host}${path}`);
            });
          }
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
    ours,
    recorder,
    seen,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      recorder.close();
    },
  };
}
