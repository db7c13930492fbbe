#ifndef MOD_MASTRA_FORM_H
#define MOD_MASTRA_FORM_H

#include "mod_mastra_project.h"
#include "schema/schema.h"

/*
 * The form of definitions: which members there are, and of which type. What
 * their values mean is checked by those who read them.
 */
typedef struct {
    const mastra_schema_t *schema;
    const mastra_json_t *json;
} mastra_form_t;

typedef struct {
    mastra_form_t of[MASTRA_DOCUMENT_SCHEDULE + 1];  /* by kind */
} mastra_forms_t;

/* Read once for any number of documents. */
const mastra_forms_t *mastra_forms_make(apr_pool_t *pool);

/* Members of a wrong type are faults; those that nobody here reads, misspelt
 * or of Mastra's other parts, are warnings in the log. */
void mastra_form_check(const mastra_forms_t *forms,
                       const mastra_document_t *document,
                       mastra_faults_t *faults, apr_pool_t *pool);

#endif
