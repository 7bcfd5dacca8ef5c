// Chromium, as the world starts it for every test.

/** What cases and tests call it. */
export const NAME = 'chromium';

/** The world's own browser as an engine: `{ recorder, visitor(), close() }`. */
export async function launch(shop) {
  return { recorder: shop.recorder, visitor: () => visitor(shop), close() {} };
}

async function visitor(shop) {
  const inner = await shop.visitor();
  return {
    async open(path) {
      const page = await inner.open(path);
      return { evaluate: (expression) => page.evaluate(expression), errors: async () => page.errors };
    },
    requests: () => inner.requests,
    async cookies() {
      return inner.context.cookies();
    },
    close: () => inner.close(),
  };
}
