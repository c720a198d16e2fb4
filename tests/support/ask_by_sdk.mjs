// Asks the development server as a page does, by LangGraph's JavaScript SDK, and prints what it heard as JSON.
import { Client } from "@langchain/langgraph-sdk";

const [apiUrl, graph, input] = process.argv.slice(2);
const client = new Client({ apiUrl, apiKey: null });
const options = { input: JSON.parse(input), streamMode: ["messages-tuple", "custom", "values"], streamSubgraphs: true };
const heard = { pieces: [], ended: [], values: null };
for await (const { event, data } of client.runs.stream(null, graph, options)) {
  if (event === "error") throw new Error(JSON.stringify(data));
  if (event.startsWith("messages")) heard.pieces.push(data[0].content);
  if (event.startsWith("custom") && data.status === "answered") heard.ended.push(data.thread_id);
  if (event === "values") heard.values = data;
}
console.log(JSON.stringify(heard));
