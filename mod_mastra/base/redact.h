#ifndef MASTRA_BASE_REDACT_H
#define MASTRA_BASE_REDACT_H

#include "json.h"

/*
 * Secrets masked before a text or a value reaches a log, a span or a stream.
 */
#define MASTRA_REDACTED "[REDACTED]"

/* Whether what bears this name (member, header, parameter) is a secret:
 * authorization, cookie, apiKey, client_secret, token, password, … Case,
 * dashes and underscores do not matter. "maxTokens" and "primaryKey" are
 * none. */
int mastra_redact_name(const char *name);

/* text with what looks like a secret masked: bearer and basic credentials,
 * keys with a known prefix (sk-, ghp_, AKIA, …), JSON web tokens, passwords
 * in URLs, and what follows a secret name and "=" or ":". The same pointer
 * when there is nothing to mask, else a copy in pool; NULL for NULL. */
const char *mastra_redact_text(const char *text, apr_pool_t *pool);

/* json with members of secret names and secrets in strings masked. A new
 * reference, to json itself when there is nothing to mask; json is not
 * changed. */
mastra_json_t *mastra_redact_json(mastra_json_t *json);

#endif
