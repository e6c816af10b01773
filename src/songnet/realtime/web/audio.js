// Where samples come from: a decoded clip, or the microphone.

const RATE = 44100; // Hz; most music has it already, and then the browser need not resample

/** Decode a file to mono samples at RATE. */
export async function decode(buffer) {
  const context = new OfflineAudioContext(1, 1, RATE);
  const audio = await context.decodeAudioData(buffer);
  const mono = audio.getChannelData(0).slice();
  for (let c = 1; c < audio.numberOfChannels; c++) {
    const channel = audio.getChannelData(c);
    for (let i = 0; i < mono.length; i++) mono[i] += channel[i];
  }
  if (audio.numberOfChannels > 1) for (let i = 0; i < mono.length; i++) mono[i] /= audio.numberOfChannels;
  return { samples: mono, rate: RATE, seconds: audio.duration };
}

/** Open the microphone; `onSamples` gets mono Float32Arrays. Returns its rate and a way to stop. */
export async function record(onSamples) {
  // Browsers keep it from pages that come over a network without TLS.
  if (!navigator.mediaDevices) throw new Error("open this page at localhost or by https");
  const media = await navigator.mediaDevices.getUserMedia({
    // What helps speech harms music.
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
  const context = new AudioContext();
  const stop = () => {
    media.getTracks().forEach((track) => track.stop());
    context.close();
  };
  try {
    await context.audioWorklet.addModule("worklet.js");
    const recorder = new AudioWorkletNode(context, "recorder");
    recorder.port.onmessage = (event) => onSamples(event.data);
    context.createMediaStreamSource(media).connect(recorder);
  } catch (error) {
    stop(); // nobody else knows that it is open
    throw error;
  }
  return { rate: context.sampleRate, stop };
}

/** A conversation with the engine: samples go in, steps come out. */
export class Stream {
  constructor(rate, { onSteps, onEnd, onError }) {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(`${scheme}//${location.host}/stream`);
    this.queue = [JSON.stringify({ rate })];
    this.over = false;
    this.socket.onopen = () => {
      this.queue.forEach((message) => this.socket.send(message));
      this.queue = null;
    };
    this.socket.onmessage = (event) => {
      if (this.over) return;
      const answer = JSON.parse(event.data);
      if (answer.error) return this.fail(onError, answer.error);
      onSteps(answer.steps);
      if (answer.end) {
        this.over = true;
        onEnd();
      }
    };
    this.socket.onclose = () => this.fail(onError, "The connection to SongNet is lost; is it still running?");
  }

  fail(onError, problem) {
    if (!this.over) onError(problem);
    this.over = true;
  }

  /** Send samples. */
  send(samples) {
    // Little at a time: a message has a largest size, and answers shall come soon.
    for (let start = 0; start < samples.length; start += 32768) {
      this.post(samples.slice(start, start + 32768).buffer);
    }
  }

  /** Send no samples, so that the engine knows somebody is there. */
  stay() {
    this.post(new ArrayBuffer(0));
  }

  end() {
    this.post(JSON.stringify({ end: true }));
  }

  post(message) {
    if (this.over) return;
    if (this.queue) this.queue.push(message);
    else if (this.socket.readyState === WebSocket.OPEN) this.socket.send(message);
  }

  /** Whether the engine keeps up. */
  get ready() {
    return this.queue === null && this.socket.bufferedAmount < 2 ** 20;
  }

  close() {
    this.over = true;
    this.socket.close();
  }
}
