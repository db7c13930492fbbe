// What the calls share: the client of the server at MASTRA_URL, and the list of what it answered.
import { MastraClient } from '@mastra/client-js';

export const base = process.env.MASTRA_URL;
export const client = new MastraClient({ baseUrl: base, retries: 0 });
export const weather = client.getAgent('weather-agent');
export const plain = client.getAgent('plain-agent');
export const results = [];

// no answer may take longer, in ms
const LIMIT = 15000;

export const sleep = ms => new Promise(done => setTimeout(done, ms));

export async function call(name, work) {
  let timer;
  const limit = new Promise((_, refuse) => {
    timer = setTimeout(() => refuse(new Error('no answer in time')), LIMIT);
  });
  try {
    results.push({ name, answer: (await Promise.race([work(), limit])) ?? null });
  } catch (error) {
    results.push({ name, status: error.status ?? 0, error: error.body ?? String(error.message) });
  } finally {
    clearTimeout(timer);
  }
}

export async function chunks(response) {
  const list = [];
  await response.processDataStream({ onChunk: async chunk => list.push(chunk) });
  return list;
}

// the records of a stream of client-js, as far as they come within a time
export async function records(promise, ms = LIMIT) {
  const reader = (await promise).getReader();
  const list = [];
  const end = Date.now() + ms;
  for (;;) {
    const next = await Promise.race([reader.read(), sleep(end - Date.now())]);
    if (!next || next.done) {
      if (!next) reader.cancel().catch(() => {});
      return next ? list : [...list, 'still open'];
    }
    list.push(next.value);
  }
}

const HEADERS = ['content-type', 'cache-control', 'access-control-allow-origin',
  'access-control-expose-headers', 'x-accel-buffering'];

// an answer with its status, headers and framing
export async function raw(method, path, body, headers = {}) {
  const response = await fetch(base + path, {
    method,
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    body,
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: Object.fromEntries(HEADERS.map(name => [name, response.headers.get(name)])),
    body: parsed(text),
  };
}

function parsed(text) {
  try {
    if (text.endsWith('\x1e')) return { separated: text.slice(0, -1).split('\x1e').map(one => JSON.parse(one)) };
    if (text.startsWith('data: ') || text.startsWith(': ')) {
      return { events: text.split('\n\n').filter(one => !one.startsWith(':')).map(one => {
        const value = one.replace(/^data: /, '');
        return value.startsWith('{') ? JSON.parse(value) : one;
      }) };
    }
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const text = value => typeof value === 'string' ? value : JSON.stringify(value);
export const get = path => raw('GET', path);
export const post = (path, value) => raw('POST', path, text(value));
export const patch = (path, value) => raw('PATCH', path, text(value));
export const remove = path => raw('DELETE', path);

export const memory = n => ({ memory: { thread: `thread-${n}`, resource: 'ann' } });
export const schema = {
  type: 'object',
  properties: { answer: { type: 'string' }, n: { type: 'number' } },
  required: ['answer', 'n'],
  additionalProperties: false,
};
