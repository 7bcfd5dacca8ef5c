// Stand-in for https://connect.facebook.net/en_US/fbevents.js: works off the queue, sets _fbp, sends nothing.
(() => {
  const pixel = window.fbq;
  pixel.callMethod = () => {};
  pixel.queue?.splice(0);
  document.cookie = `_fbp=fb.1.${Date.now()}.${Math.trunc(Math.random() * 1e10)}; path=/; max-age=7776000; samesite=lax`;
  (window.__demo ??= []).push({ name: "Meta Pixel", at: performance.now() });
})();
