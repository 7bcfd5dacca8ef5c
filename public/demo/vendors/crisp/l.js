// Stand-in for https://client.crisp.chat/l.js: sets the session's cookie and shows a chat button that answers.
(() => {
  const id = Math.random().toString(36).slice(2, 14);
  document.cookie = `crisp-client%2Fsession%2F${window.CRISP_WEBSITE_ID}=session_${id}; path=/; max-age=15552000; samesite=lax`;
  const chat = document.createElement("details");
  chat.className = "chat";
  const label = document.createElement("summary");
  label.textContent = "Chat with the shop";
  const text = document.createElement("p");
  text.textContent =
    "Hello! This is the local stand-in for a chat: nobody reads along. It could only appear because the functional category is allowed.";
  chat.append(label, text);
  document.body.append(chat);
  (window.__demo ??= []).push({ name: "Crisp chat", at: performance.now() });
})();
