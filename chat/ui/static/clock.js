// How long what happens now has been going on, in the chat's own line (`.now`, from bubbles): counted
// here, so that it costs no frame. Starts anew with each phase; nothing is shown of the first second.
(() => {
  let phase = "", since = 0;
  setInterval(() => {
    if (document.hidden) return;
    const line = document.querySelector("#chat .now:not(.writing)");
    const now = performance.now();
    if ((line?.className ?? "") !== phase) {
      [phase, since] = [line?.className ?? "", now];
      if (line) delete line.dataset.clock;
    }
    const seconds = Math.floor((now - since) / 1000);
    const text = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
    if (line && seconds >= 1 && line.dataset.clock !== text) line.dataset.clock = text;
  }, 500);
})();
