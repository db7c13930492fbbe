/* The system prompt of a run. */

#include "internal.h"

static void add_system(mastra_json_t *prompt, const mastra_json_t *value)
{
    apr_size_t i;

    if (mastra_json_is_string(value) && mastra_json_len(value)) {
        mastra_json_append(prompt,
                           mastra_json_pack("{s:s, s:s}", "role", "system",
                                            "content", mastra_json_str(value)));
    }
    else if (mastra_json_is_array(value)) {
        for (i = 0; i < mastra_json_size(value); i++) {
            add_system(prompt, mastra_json_at(value, i));
        }
    }
    else if (mastra_json_is_object(value)) {
        mastra_json_t *text = mastra_message_text(value);

        add_system(prompt, text);
        mastra_json_unref(text);
    }
}

/* Instructions of the request replace the agent's; "system" comes on top. */
void mastra_run_system(mastra_agent_run_t *run, mastra_json_t *prompt)
{
    const mastra_json_t *own = mastra_json_get(run->options, "instructions");

    if (own) {
        add_system(prompt, own);
    }
    else if (run->agent->instructions && *run->agent->instructions) {
        mastra_json_append(prompt,
                           mastra_json_pack("{s:s, s:s}", "role", "system",
                                            "content",
                                            run->agent->instructions));
    }
    add_system(prompt, mastra_json_get(run->options, "system"));
}
