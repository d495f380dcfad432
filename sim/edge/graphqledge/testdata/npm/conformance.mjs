// Checks a server of GraphQL over WebSocket with the client that others use, and
// with raw sockets what that client would never send.
//
//   node conformance.mjs URL IMPATIENT
//
// URL is the server, whose endpoint is that of the Go test; IMPATIENT is another
// one, which waits for a client to begin for a moment only.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createClient, CloseCode } from 'graphql-ws';
import WebSocket from 'ws';

const [url, impatient] = process.argv.slice(2);
const protocol = 'graphql-transport-ws';
const id = '000000000000000a';

const base64 = (text) => Buffer.from(text).toString('base64');
const plain = (text) => Buffer.from(text, 'base64').toString();

const changes = (key) => ({
  query: 'subscription ($id: ID!, $key: String!) { changes(id: $id, key: $key) { status body } }',
  variables: { id, key },
});
const fetched = (key) => ({
  query: 'query ($id: ID!, $key: String!) { query(id: $id, key: $key) { status body } }',
  variables: { id, key },
});

// client runs body with a client that has one socket for all that it does.
async function client(body, options = {}) {
  const c = createClient({ url, webSocketImpl: WebSocket, generateID: randomUUID, retryAttempts: 0, ...options });
  try {
    await body(c);
  } finally {
    await c.dispose();
  }
}

// all returns every result of an operation.
async function all(c, operation) {
  const results = [];
  for await (const r of c.iterate(operation)) results.push(r);
  return results;
}

// raw opens a socket, sends messages, and returns the code with which it ends.
function raw(messages, { address = url, protocols = [protocol] } = {}) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address, protocols);
    socket.on('open', () => messages.forEach((m) => socket.send(typeof m === 'string' ? m : JSON.stringify(m))));
    socket.on('close', (code) => resolve(code));
    socket.on('error', reject);
  });
}

const init = { type: 'connection_init' };
const subscribe = (payload) => ({ id: '1', type: 'subscribe', payload });

const checks = {
  'subscribe receives values in order, and then the end': () => client(async (c) => {
    const got = (await all(c, changes('count'))).map((r) => plain(r.data.changes.body));
    assert.deepEqual(got, Array.from({ length: 100 }, (_, i) => String(i)));
  }),
  'a command tells how it goes on': () => client(async (c) => {
    const got = await all(c, {
      query: 'subscription ($id: ID!, $body: String!) { command(id: $id, key: "k", body: $body) { status body } }',
      variables: { id, body: base64('xyz') },
    });
    assert.deepEqual(got.map((r) => r.data.command),
      [{ status: 'PENDING', body: '' }, { status: 'DONE', body: base64('xyz') }]);
  }),
  'unsubscribe ends the endpoint': () => client(async (c) => {
    const ended = async () => Number(plain((await all(c, fetched('ended')))[0].data.query.body));
    const before = await ended();
    for await (const r of c.iterate(changes('waits'))) {
      assert.equal(plain(r.data.changes.body), '0');
      break;
    }
    while ((await ended()) === before); // the time of the whole is bounded
    assert.equal(await ended(), before + 1);
  }),
  'queries and mutations go over the socket': () => client(async (c) => {
    assert.deepEqual(await all(c, fetched('key')), [{ data: { query: { status: 'DONE', body: base64('key') } } }]);
    assert.deepEqual(await all(c, {
      query: 'mutation ($id: ID!, $body: String!) { submit(id: $id, key: "k", body: $body) { status body } }',
      variables: { id, body: base64('abc') },
    }), [{ data: { submit: { status: 'DONE', body: base64('abc') } } }]);
  }),
  'many operations share a socket': async () => {
    let sockets = 0;
    await client(async (c) => {
      const got = await Promise.all(Array.from({ length: 50 }, (_, i) => all(c, fetched(`k${i}`))));
      got.forEach((r, i) => assert.equal(plain(r[0].data.query.body), `k${i}`));
    }, { on: { opened: () => { sockets += 1; } } });
    assert.equal(sockets, 1);
  },
  'a document that is refused is an error': () => client(async (c) => {
    for (const query of ['{', '{ secrets }', 'subscription { secrets }']) {
      await assert.rejects(all(c, { query }), (errors) => Array.isArray(errors) && errors[0].message.length > 0);
    }
  }),
  'an error of a query is a GraphQL error with extensions': () => client(async (c) => {
    const [r] = await all(c, fetched('fails'));
    assert.equal(r.data.query, null);
    assert.deepEqual(r.errors[0].extensions, { outcome: 'failed', class: 'rejected' });
  }),
  'an error in the middle ends a subscription, with extensions': () => client(async (c) => {
    const got = [];
    await assert.rejects(async () => {
      for await (const r of c.iterate(changes('fails'))) got.push(plain(r.data.changes.body));
    }, (errors) => {
      assert.deepEqual(errors[0].extensions, { outcome: 'failed', class: 'rejected' });
      return true;
    });
    assert.deepEqual(got, ['0']);
  }),
  'pings are answered with their payload': () => new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocol);
    socket.on('open', () => socket.send(JSON.stringify({ type: 'ping', payload: { x: 1 } })));
    socket.on('message', (text) => {
      try {
        assert.deepEqual(JSON.parse(text), { type: 'pong', payload: { x: 1 } });
        socket.on('close', resolve);
        socket.close();
      } catch (err) {
        reject(err);
      }
    });
    socket.on('error', reject);
  }),
  'the client keeps alive by pings': async () => {
    let pongs = 0;
    await client(async (c) => {
      for await (const _ of c.iterate(changes('waits'))) {
        await new Promise((resolve) => c.on('pong', (received) => {
          pongs += received ? 1 : 0;
          if (pongs === 3) resolve();
        }));
        break;
      }
    }, { keepAlive: 10 });
    assert.ok(pongs >= 3);
  },
  'subscribe before the acknowledgement is 4401': async () => {
    assert.equal(await raw([subscribe({ query: '{ __typename }' })]), CloseCode.Unauthorized);
  },
  'the id of a running operation is 4409': async () => {
    assert.equal(await raw([init, subscribe(changes('waits')), subscribe(changes('waits'))]),
      CloseCode.SubscriberAlreadyExists);
  },
  'a second connection_init is 4429': async () => {
    assert.equal(await raw([init, init]), CloseCode.TooManyInitialisationRequests);
  },
  'no subprotocol is 4406': async () => {
    assert.equal(await raw([], { protocols: [] }), CloseCode.SubprotocolNotAcceptable);
  },
  'what is no message is 4400': async () => {
    for (const m of ['{', '[]', 'null', '{}', { type: 'dance' }, { type: 'next', id: '1' }, subscribe({}),
      subscribe({ query: 1 }), { type: 'subscribe', payload: { query: '{ __typename }' } },
      { type: 'connection_init', payload: 'x' }, { id: 5, type: 'complete' }]) {
      assert.equal(await raw(m.type === 'connection_init' ? [m] : [init, m]), CloseCode.BadRequest, JSON.stringify(m));
    }
  },
  'no connection_init in time is 4408': async () => {
    assert.equal(await raw([], { address: impatient }), CloseCode.ConnectionInitialisationTimeout);
  },
};

const timer = setTimeout(() => {
  console.error(`not through in time: ${current}`);
  process.exit(1);
}, 60_000);
let current = '';
for (const [name, check] of Object.entries(checks)) {
  current = name;
  try {
    await check();
    console.log(`ok: ${name}`);
  } catch (err) {
    console.error(`FAIL: ${name}:`, err);
    process.exitCode = 1;
  }
}
clearTimeout(timer);
