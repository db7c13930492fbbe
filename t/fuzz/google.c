/* Fuzz target: answers of the Gemini API. */
#define WIRE mastra_wire_google
#include "answer.h"
