// Serves c15t's backend until it is told to end: `node server.mjs DATABASE SETTINGS PORT`.

import { createServer } from 'node:http';

import { open } from './backend.mjs';

const [path, settings, port] = process.argv.slice(2);
const { c15t, database } = await open(path, settings);

const server = createServer(async (incoming, outgoing) => {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const answer = await c15t.handler(
        new Request(`http://127.0.0.1:${port}${incoming.url}`, {
            method: incoming.method,
            headers: incoming.headers,
            body: chunks.length > 0 ? Buffer.concat(chunks) : undefined,
        }),
    );
    const body = Buffer.from(await answer.arrayBuffer());
    outgoing.writeHead(answer.status, {
        ...Object.fromEntries(answer.headers),
        'content-length': body.length,
    });
    outgoing.end(body);
});
server.listen(Number(port), '127.0.0.1');

process.once('SIGTERM', () => {
    server.close();
    server.closeAllConnections();
    database.close();
    process.exit();
});
