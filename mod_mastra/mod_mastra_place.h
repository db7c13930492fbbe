#ifndef MOD_MASTRA_PLACE_H
#define MOD_MASTRA_PLACE_H

#include <httpd.h>

#include "mod_mastra_project.h"

/*
 * Faults of directives that are found when all of them are read, so that
 * httpd's parser no longer says where they stand. Only before post_config:
 * the tree of the configuration goes then.
 */

/* Notes "file:line: name args: why". The line is the last one of name whose
 * arguments begin with the words of args (NULL: any), in s or else in the main
 * server; where there is none, that of the virtual host, or no place. */
void mastra_place_fault(mastra_faults_t *faults, const server_rec *s,
                        const char *name, const char *args, const char *why);

#endif
