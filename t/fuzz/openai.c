/* Fuzz target: answers of chat completions servers. */
#define WIRE mastra_wire_chat
#include "answer.h"
