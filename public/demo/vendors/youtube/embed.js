// What YouTube's player keeps in the browser; here on the demo's own origin, where the panel can see it.
document.cookie = `VISITOR_INFO1_LIVE=${Math.random().toString(36).slice(2, 13)}; path=/; max-age=15552000; samesite=lax`;
document.cookie = "YSC=demo; path=/; samesite=lax";
localStorage.setItem("yt-remote-device-id", JSON.stringify({ data: crypto.getRandomValues(new Uint32Array(2)).join("-") }));
(parent.__demo ??= []).push({ name: "YouTube video", at: parent.performance.now() });
