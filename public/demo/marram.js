// What the shop itself needs: a session and a basket. Both are strictly necessary and wait for nobody.
if (!/(^|; )marram_session=/.test(document.cookie)) {
  const id = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  document.cookie = `marram_session=${id}; path=/demo; samesite=lax`;
}

const basket = () => JSON.parse(localStorage.getItem("marram-basket") ?? "[]");
const count = () => {
  for (const place of document.querySelectorAll("[data-basket]")) place.textContent = basket().length;
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-add]");
  if (!button) return;
  localStorage.setItem("marram-basket", JSON.stringify([...basket(), button.dataset.add]));
  count();
  // As shops do: tell the tags that run, and only those.
  window.gtag?.("event", "add_to_cart", { currency: "EUR", value: Number(button.dataset.price) });
  window.fbq?.("track", "AddToCart", { content_ids: [button.dataset.add] });
});
count();
