#ifndef MOD_MASTRA_DEFINE_H
#define MOD_MASTRA_DEFINE_H

#include "mod_mastra_config.h"

/* Setters of <MastraAgent>, <MastraTool> and what stands in them: functions of
 * the command table. */
const char *mastra_define_open(cmd_parms *cmd, void *dir, const char *arg);
/* cmd->info: the member that is set */
const char *mastra_define_text(cmd_parms *cmd, void *dir, const char *arg);
const char *mastra_define_model(cmd_parms *cmd, void *dir, int argc,
                                char *const argv[]);
const char *mastra_define_description(cmd_parms *cmd, void *dir,
                                      const char *arg);
const char *mastra_define_tools(cmd_parms *cmd, void *dir, int argc,
                                char *const argv[]);
const char *mastra_define_memory(cmd_parms *cmd, void *dir, int argc,
                                 char *const argv[]);
const char *mastra_define_schema(cmd_parms *cmd, void *dir, const char *arg);
const char *mastra_define_step(cmd_parms *cmd, void *dir, const char *arg);
const char *mastra_define_schedule(cmd_parms *cmd, void *dir, int argc,
                                   char *const argv[]);
const char *mastra_define_execute(cmd_parms *cmd, void *dir, int argc,
                                  char *const argv[]);

#endif
