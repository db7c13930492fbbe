/* Periods as directives give them: "30s", "5min", "24h". */
#ifndef MASTRA_HTTP_PERIOD_H
#define MASTRA_HTTP_PERIOD_H

#include <apr_time.h>

/* A number alone is in seconds. APR_EGENERAL: no period, or a negative one. */
apr_status_t mastra_period_parse(apr_interval_time_t *pperiod,
                                 const char *text);

#endif
