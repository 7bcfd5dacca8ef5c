// One browser for all worlds of a process.

/** `start` gives `{ door, context(options), close() }`. What comes back is an engine's `launch`: it starts the browser
    for the first world, and the last one ends it. */
export const shared = (start) => {
  let running = null;
  let worlds = 0;
  return async ({ ours }) => {
    worlds += 1;
    running ??= start();
    const { door, context, close } = await running;
    for (const name of ours) door.ours.add(name);
    return {
      recorder: door.recorder,
      context,
      async close() {
        worlds -= 1;
        if (worlds) return;
        running = null;
        await close();
      },
    };
  };
};
