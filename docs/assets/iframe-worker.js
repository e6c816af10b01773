// Search on pages that are opened as files. Browsers start no workers there, so the script of the
// search runs in a hidden frame that stands in for one.

class FrameWorker extends EventTarget {
  constructor(url) {
    super();
    const frame = document.createElement("iframe");
    frame.hidden = true;
    frame.srcdoc = `<script>(${prepare})()</script><script src="${new URL(url, location.href)}"></script>`;
    this.loaded = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
    this.frame = frame;
    this.receive = ({ source, data }) => {
      if (source === frame.contentWindow) this.dispatchEvent(new MessageEvent("message", { data }));
    };
    window.addEventListener("message", this.receive);
    document.body.append(frame);
  }

  postMessage(data) {
    this.loaded.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
  }

  terminate() {
    window.removeEventListener("message", this.receive);
    this.frame.remove();
  }
}

/** Gives a frame what scripts of workers call. It runs in the frame. */
function prepare() {
  window.postMessage = (data) => window.parent.postMessage(data, "*");
  window.importScripts = async (...urls) => {
    for (const url of urls) {
      await new Promise((resolve, reject) => {
        const script = Object.assign(document.createElement("script"), { src: url, onload: resolve, onerror: reject });
        document.head.append(script);
      });
    }
  };
}

if (location.protocol === "file:") window.Worker = FrameWorker;
