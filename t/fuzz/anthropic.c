/* Fuzz target: answers of the Messages API. */
#define WIRE mastra_wire_anthropic
#include "answer.h"
