/* Reads periods: httpd's own parser takes a unit without a number for 0. */
#include <apr_lib.h>

#include <httpd.h>

#include "period.h"

apr_status_t mastra_period_parse(apr_interval_time_t *pperiod,
                                 const char *text)
{
    return apr_isdigit(*text)
           && ap_timeout_parameter_parse(text, pperiod, "s") == APR_SUCCESS
           && *pperiod >= 0 ? APR_SUCCESS : APR_EGENERAL;
}
