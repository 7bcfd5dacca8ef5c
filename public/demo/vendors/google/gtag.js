// Stand-in for https://www.googletagmanager.com/gtag/js: sets Google Analytics' cookies, sends nothing.
(() => {
  const id = new URL(document.currentScript.src).searchParams.get("id") ?? "G-DEMO";
  const now = Math.floor(Date.now() / 1000);
  const put = (name, value) => {
    document.cookie = `${name}=${value}; path=/; max-age=63072000; samesite=lax`;
  };
  if (!/(^|; )_ga=/.test(document.cookie)) put("_ga", `GA1.1.${Math.trunc(Math.random() * 2 ** 31)}.${now}`);
  put(`_ga_${id.replace(/^G-/, "")}`, `GS2.1.s${now}$o1$g0$t${now}$j60$l0$h0`);
  (window.__demo ??= []).push({ name: "Google tag", at: performance.now() });
})();
