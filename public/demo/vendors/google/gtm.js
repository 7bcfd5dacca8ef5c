// Stand-in for https://www.googletagmanager.com/gtm.js: sets the conversion linker's cookie, sends nothing.
(() => {
  document.cookie = `_gcl_au=1.1.${Math.trunc(Math.random() * 2 ** 31)}.${Math.floor(Date.now() / 1000)}; path=/; max-age=7776000; samesite=lax`;
  (window.__demo ??= []).push({ name: "Google Tag Manager", at: performance.now() });
})();
