// Stand-in for https://static.hotjar.com/c/hotjar-….js: sets the session's cookies, sends nothing.
(() => {
  const { hjid } = window._hjSettings;
  const value = btoa(JSON.stringify({ id: Math.random().toString(36).slice(2), created: Date.now() }));
  document.cookie = `_hjSessionUser_${hjid}=${value}; path=/; max-age=31536000; samesite=lax`;
  document.cookie = `_hjSession_${hjid}=${value}; path=/; max-age=1800; samesite=lax`;
  sessionStorage.setItem("_hjViewportId", Math.random().toString(36).slice(2));
  (window.__demo ??= []).push({ name: "Hotjar", at: performance.now() });
})();
