/* Fuzz target: answers of OpenAI's Responses API. */
#define WIRE mastra_wire_responses
#include "answer.h"
