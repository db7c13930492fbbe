// Agents that lead others: who is given the task, what is told of it, and decisions of people.
import { call, chunks, client, post } from '../kit.mjs';

const lead = client.getAgent('lead-agent');
const A = '/api/agents/lead-agent';
const memory = n => ({ memory: { thread: `net-${n}`, resource: 'ann' } });
const to = (id, type, prompt) => `ROUTE:${id}:${type}:${prompt}; go`;
const network = async (n, task, more) => joined(await chunks(await lead.network(task, { maxSteps: 1, ...memory(n), ...more })));

// the words of an answer, which may come in any number of chunks
function joined(list) {
  const made = [];
  for (const chunk of list) {
    const last = made.at(-1);
    if (chunk.type === 'routing-agent-text-delta' && last?.type === chunk.type) last.payload.text += chunk.payload.text;
    else made.push(chunk);
  }
  return made;
}


await call('network: described', () => lead.details());
await call('network: to an agent', () => network(1, to('plain-agent', 'agent', 'sub task')));
await call('network: its thread', async () => (await fetch(`${process.env.MASTRA_URL}/api/memory/threads/net-1/messages?agentId=lead-agent`)).json());
await call('network: to a workflow', () => network(2, to('echo-flow', 'workflow', '{"value":"x"}')));
await call('network: to a tool', () => network(3, to('echo-tool', 'tool', '{"value":"x"}')));
await call('network: to nobody', () => network(4, 'nobody'));
await call('network: two rounds', () => network(5, `NOTYET ${to('plain-agent', 'agent', 'sub')}`, { maxSteps: 2 }));
await call('network: in the same thread', () => network(1, to('plain-agent', 'agent', 'again')));
await call('network: without memory', async () => joined(await chunks(await lead.network(to('plain-agent', 'agent', 'sub'), { maxSteps: 1 }))));
await call('network: of an agent without memory', () => post('/api/agents/plain-agent/network', { messages: 'x' }));
await call('network: unknown agent', () => post('/api/agents/none/network', { messages: 'x' }));
await call('network: badly', () => post(`${A}/network`, {}));
await call('network: raw', async () => {
  const answer = await post(`${A}/network`, { messages: to('echo-tool', 'tool', '{"value":"x"}'), maxSteps: 1, ...memory(6) });
  answer.body.events = joined(answer.body.events);
  return answer;
});
await call('network: waits for approval', () => network(7, to('delete-tool', 'tool', '{"path":"/x"}'), { runId: 'net-run-7' }));
await call('network: approved', async () => joined(await chunks(
  await lead.approveNetworkToolCall({ runId: 'net-run-7', ...memory(7) }))));
await call('network: waits to be declined', () => network(8, to('delete-tool', 'tool', '{"path":"/x"}'), { runId: 'net-run-8' }));
await call('network: declined', async () => joined(await chunks(
  await lead.declineNetworkToolCall({ runId: 'net-run-8', ...memory(8) }))));
await call('network: approved badly', () => post(`${A}/approve-network-tool-call`, {}));
await call('network: approved, unknown', () => post(`${A}/approve-network-tool-call`, { runId: 'none' }));
await call('an agent as a tool', async () => chunks(await lead.stream('CALL:agent-plain-agent:{"prompt":"hello"}', memory(9))));
await call('an agent as a tool, whole', () => lead.generate('CALL:agent-plain-agent:{"prompt":"hello"}', memory(10)));
await call('a workflow as a tool', async () => chunks(await lead.stream('CALL:workflow-echo-flow:{"inputData":{"value":"x"}}', memory(11))));
await call('a workflow as a tool, whole', () => lead.generate('CALL:workflow-echo-flow:{"inputData":{"value":"x"}}', memory(12)));
