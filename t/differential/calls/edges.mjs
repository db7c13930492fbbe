// Bodies, paths and methods that nobody should send.
import { call, post, raw } from '../kit.mjs';

// --- the edges
const generate = '/api/agents/plain-agent/generate';
for (const body of ['', '{bad', '[]', '{}', '{"messages":5}', '{"messages":"x","memory":{}}',
  '{"messages":"x","maxSteps":"a"}', '{"messages":"x","toolChoice":"bad"}',
  '{"messages":"x","structuredOutput":{}}', '{"messages":"x"} x']) {
  await call(`body ${body}`, () => post(generate, body));
}
await call('another content type', () => raw('POST', generate, '{"messages":"x"}', { 'content-type': 'text/plain' }));
for (const path of ['/health', '/api/nope', '/api/agents/', '/api//agents', '/api/auth/me']) {
  await call(`GET ${path}`, () => raw('GET', path));
}
await call('HEAD', () => raw('HEAD', '/api/agents'));
await call('OPTIONS', () => raw('OPTIONS', '/api/agents'));
await call('a wrong method', () => raw('PUT', '/api/agents', '{}'));
