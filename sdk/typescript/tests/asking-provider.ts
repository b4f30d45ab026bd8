// A provider in a process of its own, which the tests of `ask` end between two questions.
import { connectProviderClient } from "../client.ts";

const who = { message: "Who?", requestedSchema: { type: "object" } };

await connectProviderClient({
  url: process.argv[2]!,
  name: "asking-provider",
  tools: [
    {
      tool: { name: "remember", inputSchema: { type: "object" } },
      async handler(_args, _signal, { ask }) {
        const first = await ask({ who });
        const second = await ask({ who });
        return `${first.who.content!.name} and ${second.who.content!.name}, as ${process.pid} heard`;
      },
    },
  ],
});
