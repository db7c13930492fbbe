/* Values that are made once and stand in many documents: words of the wire,
 * small numbers, the empty array. Nothing changes a string or a number once it
 * is there, so that threads can share them, and jansson does not count what
 * has the highest count: such a value costs no memory and no free. */

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "internal.h"

#define NOT_COUNTED ((size_t)-1)
#define NUMBERS 256
/* a power of two, several times as large as the list of words */
#define SLOTS 256
#define WORD_MAX 24

static const char *const known[] = {
    "", "AGENT", "agent", "application/json", "array", "assistant", "auto",
    "chat.completion", "chat.completion.chunk", "file", "finish", "function",
    "image", "initial", "integer", "json", "length", "number", "object",
    "reasoning", "reasoning-0", "result", "start", "step-finish",
    "step-start", "stop", "string", "system", "text", "text-delta",
    "text-end", "text-start", "text/event-stream", "tool", "tool-call",
    "tool-calls", "tool-invocation", "tool-result", "txt-0", "unknown",
    "user", "v2"
};
#define WORDS (sizeof(known) / sizeof(known[0]))

static json_t *words[SLOTS];
static json_t *numbers[NUMBERS];
static json_t *none;

static unsigned slot_of(const char *text, apr_size_t len)
{
    unsigned hash = (unsigned)len * 131;

    if (len) {
        hash += (unsigned char)text[0] * 5 + (unsigned char)text[len / 2] * 17
                + (unsigned char)text[len - 1] * 29;
    }
    return hash % SLOTS;
}

static json_t *once(json_t *value)
{
    if (!value) {
        abort();
    }
    value->refcount = NOT_COUNTED;
    return value;
}

/* Before there are threads. */
static __attribute__((constructor)) void make_shared(void)
{
    unsigned i, slot;

    for (i = 0; i < WORDS; i++) {
        slot = slot_of(known[i], strlen(known[i]));
        while (words[slot]) {
            slot = (slot + 1) % SLOTS;
        }
        words[slot] = once(json_string_nocheck(known[i]));
    }
    for (i = 0; i < NUMBERS; i++) {
        numbers[i] = once(json_integer(i));
    }
    none = once(json_array());
}

static void drop(json_t *value)
{
    if (value) {
        value->refcount = 1;
        json_decref(value);
    }
}

/* The module is unloaded at a restart. */
static __attribute__((destructor)) void free_shared(void)
{
    unsigned i;

    for (i = 0; i < SLOTS; i++) {
        drop(words[i]);
    }
    for (i = 0; i < NUMBERS; i++) {
        drop(numbers[i]);
    }
    drop(none);
}

mastra_json_t *mastra_json_none(void)
{
    return none;
}

mastra_json_t *mastra_json_integer(apr_int64_t value)
{
    return value >= 0 && value < NUMBERS ? numbers[value]
                                         : json_integer(value);
}

mastra_json_t *mastra_json_string_valid(const char *value, apr_size_t len)
{
    unsigned slot;
    json_t *word;

    if (len <= WORD_MAX) {
        for (slot = slot_of(value, len); (word = words[slot]);
             slot = (slot + 1) % SLOTS) {
            if (json_string_length(word) == len
                && !memcmp(json_string_value(word), value, len)) {
                return word;
            }
        }
    }
    return json_stringn_nocheck(value, len);
}
