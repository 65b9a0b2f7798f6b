// `@openai/agents-realtime`, unmodified: speaks to a server, and types to it.
// node agents_realtime.mjs HOST:PORT SOUND.pcm (PCM16, one channel, 24 kHz)
import { readFileSync } from "node:fs";
import { RealtimeAgent, RealtimeSession } from "@openai/agents-realtime";

const [at, sound] = process.argv.slice(2);
const agent = new RealtimeAgent({ name: "a", instructions: "be brief" });
const session = new RealtimeSession(agent, {
  transport: "websocket",
  model: "gpt-realtime",
});
const told = { audio_bytes: 0, responses: 0, errors: [], transcript: "" };
session.on("audio", (event) => (told.audio_bytes += event.data.byteLength));
session.on("error", (event) => told.errors.push(JSON.stringify(event)));
session.on("transport_event", (event) => {
  told.responses += event.type === "response.done";
  if (event.type === "response.output_audio_transcript.done")
    told.transcript += event.transcript;
});
await session.connect({ apiKey: "none", url: `ws://${at}/v1/realtime` });
const pcm = readFileSync(sound);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
for (let i = 0; i < pcm.length; i += 1920) {
  const part = pcm.subarray(i, i + 1920);
  session.sendAudio(Uint8Array.from(part).buffer);
  await sleep(40);
}
session.sendMessage("two plus three");
await sleep(8000);
told.history = session.history.length;
session.close();
const ok = told.audio_bytes > 0 && told.responses > 0 && !told.errors.length;
console.log(JSON.stringify({ ...told, ok }));
process.exit(ok ? 0 : 1);
