// Test Anything Protocol for the programs of this folder, and a record of which of the
// client's calls they used.
import assert from 'node:assert/strict';

let count = 0;
let failed = 0;
const used = new Set();
const known = new Set();

// One test: passes unless the function throws.
export async function test(name, run) {
  try {
    await run();
    console.log(`ok ${++count} - ${name}`);
  } catch (error) {
    failed++;
    console.log(`not ok ${++count} - ${name}`);
    for (const line of String(error?.stack ?? error).split('\n').slice(0, 12)) {
      console.log(`#   ${line}`);
    }
  }
}

export { assert };

// Notes each call of the objects' public methods, theirs and their class's.
export function watch(object, name) {
  for (let proto = Object.getPrototypeOf(object); proto && proto !== Object.prototype;
    proto = Object.getPrototypeOf(proto)) {
    if (Object.hasOwn(proto, '__watched')) continue;
    Object.defineProperty(proto, '__watched', { value: true });
    for (const key of Object.getOwnPropertyNames(proto)) {
      const method = Object.getOwnPropertyDescriptor(proto, key).value;
      if (typeof method !== 'function' || key === 'constructor' || key === 'request') continue;
      const label = `${name ?? proto.constructor.name}.${key}`;
      known.add(label);
      proto[key] = function (...args) {
        used.add(label);
        return method.apply(this, args);
      };
    }
  }
  return object;
}

// The end, also where a test that failed has left a connection open.
export function done() {
  const calls = [...known].filter(label => used.has(label)).sort();
  if (known.size) {
    console.log(`# ${calls.length} calls of the client are covered: ${calls.join(' ')}`);
  }
  console.log(`1..${count}`);
  process.exit(failed ? 1 : 0);
}

// All chunks of a stream() answer.
export async function chunks(response) {
  const list = [];
  await response.processDataStream({ onChunk: async chunk => { list.push(chunk); } });
  return list;
}

export const types = list => list.map(chunk => chunk.type);
export const textOf = list =>
  list.filter(chunk => chunk.type === 'text-delta').map(chunk => chunk.payload.text).join('');
