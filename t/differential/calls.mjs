// Asks the server at MASTRA_URL all that calls/ has, or the parts that are named; prints what came
// as JSON, call by call.
import { results } from './kit.mjs';

const parts = process.argv.slice(2);
const all = ['agents', 'requests', 'memory', 'threads', 'workflows', 'networks', 'schedules',
  'system', 'edges', 'graphs', 'times'];

for (const part of parts.length ? parts : all) {
  await import(`./calls/${part}.mjs`);
}
console.log(JSON.stringify(results));
process.exit(0);
