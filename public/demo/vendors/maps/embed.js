// What Google Maps keeps in the browser; here on the demo's own origin, where the panel can see it.
document.cookie = `NID=${crypto.getRandomValues(new Uint32Array(2)).join("")}; path=/; max-age=15552000; samesite=lax`;
(parent.__demo ??= []).push({ name: "Google Maps", at: parent.performance.now() });
