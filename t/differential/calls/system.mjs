// What Studio asks besides, and what the OpenAPI document says.
import { call, get, post } from '../kit.mjs';

for (const path of ['/api/system/packages', '/api/auth/capabilities', '/api/auth/me', '/api/auth/permission-patterns', '/api/auth/roles/x/permissions',
  '/api/auth/sso/login', '/api/logs/transports', '/api/logs', '/api/logs/none', '/api/vectors', '/api/embedders', '/api/scores/scorers', '/api/processors',
  '/api/mcp/v0/servers', '/api/workspaces', '/api/agent-builder', '/api/agent-controller', '/api/tool-providers', '/api/channels/platforms',
  '/api/editor/builder/settings', '/api/editor/workflow-builder/settings', '/api/stored/agents', '/api/stored/scorers', '/api/stored/prompt-blocks',
  '/api/stored/mcp-clients', '/api/stored/skills', '/api/stored/workspaces', '/api/datasets', '/api/experiments', '/api/observability/traces',
  '/api/observability/traces/light', '/api/observability/scores', '/api/observability/discovery/entity-types', '/api/observability/discovery/tags',
  '/api/observability/discovery/environments', '/api/observability/discovery/service-names', '/api/experiments/review-summary',
  '/api/responses', '/api/v1/responses', '/.well-known/none/agent-card.json']) {
  await call(`GET ${path}`, () => get(path));
}
await call('sign in', () => post('/api/auth/credentials/sign-in', { email: 'a@b.c', password: 'x' }));
await call('sign out', () => post('/api/auth/logout', {}));
await call('refresh', () => post('/api/auth/refresh', {}));

// --- the document: what it says of each operation that both have
const { body } = await get('/api/openapi.json');
await call('openapi: head', () => ({ openapi: body.openapi, keys: Object.keys(body).sort(), info: Object.keys(body.info ?? {}).sort() }));

const deref = schema => {
  const name = schema?.$ref?.split('/').pop();
  return name ? body.components.schemas[name] : schema;
};
const shape = (schema, depth = 0) => {
  const one = deref(schema);
  if (!one) return null;
  const all = { ...one.properties };
  return depth > 1 ? typeof one : { type: one.type, required: [...one.required ?? []].sort(),
    properties: Object.fromEntries(Object.keys(all).sort().map(key => [key, deref(all[key])?.type ?? 'any'])) };
};
const built = /^\/(agents|workflows|memory|tools|schedules|background-tasks|stored\/workflows|system\/packages)/;
for (const path of Object.keys(body.paths ?? {}).map(one => one.replace(/^\/api/, '')).filter(one => built.test(one)).sort()) {
  const at = body.paths[path] ?? body.paths[`/api${path}`];
  for (const [method, operation] of Object.entries(at)) {
    await call(`openapi: ${method} ${path}`, () => ({
      summary: operation.summary,
      tags: operation.tags,
      parameters: (operation.parameters ?? []).map(({ name, in: where, required }) => `${where} ${name} ${!!required}`).sort(),
      body: shape(operation.requestBody?.content?.['application/json']?.schema),
      answers: Object.keys(operation.responses ?? {}).sort(),
      types: Object.keys(operation.responses?.[200]?.content ?? {}),
    }));
  }
}
