// Sound on the wire: PCM16, little endian as every browser's memory, in base64.

/** Floats from -1 to 1 as PCM16; what is too loud is cut off. */
export function toPcm(samples, out = new Int16Array(samples.length)) {
  for (let place = 0; place < samples.length; place++) {
    const level = Math.round(samples[place] * 32768);
    out[place] = Math.max(-32768, Math.min(32767, level));
  }
  return out;
}

/** PCM16 as floats from -1 to 1. */
export function toFloats(pcm) {
  return Float32Array.from(pcm, (level) => level / 32768);
}

export function toBase64(pcm) {
  const bytes = new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  let text = "";
  // An engine takes only so many arguments at once.
  for (let place = 0; place < bytes.length; place += 8192) {
    text += String.fromCharCode(...bytes.subarray(place, place + 8192));
  }
  return btoa(text);
}

export function fromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let place = 0; place < binary.length; place++) {
    bytes[place] = binary.charCodeAt(place);
  }
  return new Int16Array(bytes.buffer);
}
