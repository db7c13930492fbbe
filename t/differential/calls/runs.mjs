// Runs of workflows: their addresses, their ends, and the order of what branches say.
import { get, sleep } from '../kit.mjs';

export const at = (id, what, runId) => `/api/workflows/${id}/${what}${runId ? `?runId=${runId}` : ''}`;
export const ofRun = (id, runId, what = '') => `/api/workflows/${id}/runs/${runId}${what}`;

// branches of equal length end in any order
export function settled(answer) {
  const key = ({ type, payload }) => `${payload.stepName ?? payload.id ?? ''} ${type.replace('start', 'a')}`;
  answer.body.separated?.sort((a, b) => key(a).localeCompare(key(b)));
  return answer;
}

// until a run has one of the states
export async function until(id, runId, ...states) {
  for (let i = 0; i < 100; i++) {
    const status = (await get(ofRun(id, runId, '?fields=result'))).body.status;
    if (states.includes(status)) return status;
    await sleep(50);
  }
  return 'too late';
}
