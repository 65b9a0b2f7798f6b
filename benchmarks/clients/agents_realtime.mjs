// `@openai/agents-realtime`, unmodified, over a socket.
//
// node agents_realtime.mjs realtime HOST:PORT SOUND.pcm
//
// Node looks for packages beside a script, so `run.py` puts it beside them.
// What is counted, and how, stands in ear.py.
import { readFileSync } from "node:fs";
import { RealtimeAgent, RealtimeSession } from "@openai/agents-realtime";

const [, at, sound] = process.argv.slice(2);
const RATE = 24000;
const CHUNK = (2 * RATE) / 50;
const TAIL_S = 4;
const LOUD = 330;
const here = new URL("./node_modules/@openai/agents-realtime/", import.meta.url);
const { version } = JSON.parse(readFileSync(new URL("package.json", here)));

const began = performance.now();
const errors = [];
let [sent, heard, loud, said, understood] = [0, 0, 0, "", ""];
let [sentAt, heardAt] = [null, null];

const agent = new RealtimeAgent({ name: "a", instructions: "be brief" });
const session = new RealtimeSession(agent, {
  transport: "websocket",
  model: "gpt-realtime",
});
session.on("audio", (event) => {
  heardAt ??= performance.now();
  const samples = new Int16Array(event.data);
  heard += samples.length;
  for (let i = 0; i < samples.length; i += RATE / 50) {
    const part = samples.subarray(i, i + RATE / 50);
    if (part.some((each) => Math.abs(each) > LOUD)) loud += part.length;
  }
});
session.on("error", (event) => errors.push(JSON.stringify(event)));
session.on("transport_event", (event) => {
  if (event.type === "response.output_audio_transcript.delta")
    said += event.delta;
  if (event.type === "conversation.item.input_audio_transcription.delta")
    understood += event.delta;
});

await session.connect({ apiKey: "none", url: `ws://${at}/v1/realtime` });
const pcm = Buffer.concat([readFileSync(sound), Buffer.alloc(2 * RATE * TAIL_S)]);
const start = performance.now();
for (let i = 0; i < pcm.length; i += CHUNK) {
  const part = pcm.subarray(i, i + CHUNK);
  const due = start + (1000 * (i + part.length)) / (2 * RATE);
  const wait = Math.max(0, due - performance.now());
  await new Promise((done) => setTimeout(done, wait));
  sentAt ??= performance.now();
  session.sendAudio(Uint8Array.from(part).buffer);
  sent += part.length / 2;
}
const closed = new Promise((done) =>
  session.transport.on("connection_change", (status) => {
    if (status === "disconnected") done(true);
  }),
);
session.close();
const late = new Promise((done) => setTimeout(() => done(false), 10000));
const ended = await Promise.race([closed, late]);

const seconds = (samples) => Math.round((10 * samples) / RATE) / 10;
const plain = (text) => text.split(/\s+/).filter(Boolean).join(" ");
const ok = ended && loud > 0 && plain(said) !== "" && !errors.length;
console.log(
  JSON.stringify({
    client: "@openai/agents-realtime",
    version,
    protocol: "realtime",
    ok,
    sent_s: seconds(sent),
    heard_s: seconds(heard),
    voice_s: seconds(loud),
    first_sound_ms: heardAt && Math.round(heardAt - sentAt),
    said: plain(said),
    understood: plain(understood),
    history: session.history.map((item) => item.role ?? item.type),
    errors,
    ended,
    seconds: Math.round((performance.now() - began) / 100) / 10,
  }),
);
process.exit(ok ? 0 : 1);
