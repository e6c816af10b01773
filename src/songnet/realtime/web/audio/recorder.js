// Sends the microphone's samples, averaged over channels, to the worker in blocks of about 50 ms.

const SIZE = 2048; // samples per block

class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.samples = new Float32Array(SIZE);
    this.filled = 0;
    this.worker = null; // port to the worker
    this.port.onmessage = ({ data }) => (this.worker = data);
  }

  process([channels]) {
    const size = channels.length ? channels[0].length : 0;
    for (let i = 0; i < size; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.samples[this.filled++] = sum / channels.length;
    }
    if (this.filled >= SIZE) {
      this.worker?.postMessage(this.samples, [this.samples.buffer]);
      this.samples = new Float32Array(SIZE);
      this.filled = 0;
    }
    return true;
  }
}

registerProcessor("recorder", Recorder);
