// Search runs in a worker, which browsers refuse to a page that was opened from a disk.
// There a hidden frame does the same work: messages go in and come out as events.
class IFrameWorker extends EventTarget {
  constructor(url) {
    super();
    const frame = document.createElement("iframe");
    frame.hidden = true;
    document.body.append(frame);
    this.inside = frame.contentWindow;
    this.inside.postMessage = data => {
      this.dispatchEvent(new MessageEvent("message", { data }));
    };
    this.ready = new Promise((resolve, reject) => {
      const script = frame.contentDocument.createElement("script");
      script.src = new URL(url, location.href).href;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${script.src} cannot be read`));
      frame.contentDocument.head.append(script);
    });
  }

  postMessage(data) {
    this.ready.then(() => {
      this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data }));
    });
  }
}

if (location.protocol === "file:") {
  window.IFrameWorker = IFrameWorker;
  window.Worker = IFrameWorker;
}
