// Checks an OpenAPI document, given on standard input, with an independent linter; prints what is
// wrong with it and ends with 1 if anything is.
import { createConfig, lintFromString, makeDocumentFromString } from '@redocly/openapi-core';

let text = '';
for await (const piece of process.stdin) {
    text += piece;
}
// a document of any host: its parts that only an author of prose could fill are not asked for
const config = await createConfig({
    extends: ['recommended-strict'],
    rules: { 'tag-description': 'off', 'operation-operationId': 'error', 'operation-4xx-response': 'error' },
});
const problems = await lintFromString({ source: text, absoluteRef: 'openapi.json', config });
for (const { severity, ruleId, message, location } of problems) {
    console.log(`${severity} ${ruleId}: ${message} at ${location?.[0]?.pointer}`);
}
process.exit(problems.length ? 1 : 0);
