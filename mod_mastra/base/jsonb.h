#ifndef MASTRA_BASE_JSONB_H
#define MASTRA_BASE_JSONB_H

#include "json.h"

/*
 * SQLite's binary JSON, as newer SQLite and LibSQL store it in BLOBs.
 */

/* Decodes the one value that fills data. New reference in *pjson, or
 * APR_EINVAL when data is no JSONB: lengths that do not fit, unknown types,
 * bad numbers or escapes, deeper than 1000 levels. Text that JSON here does
 * not hold (NUL, lone surrogates, invalid UTF-8) becomes U+FFFD, an infinite
 * number null: what another server stored is to be read. */
apr_status_t mastra_jsonb_decode(mastra_json_t **pjson,
                                 const unsigned char *data, apr_size_t len);

#endif
