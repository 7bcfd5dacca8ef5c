/** Takes an element out of the page and puts it back: a script then runs that could not before, and a frame that has
    lost its address loses its document. The element stays the same, because whoever made it may hold on to it: React
    fails where it finds another one in its place. */
export function renew(tag: Element): void {
  const { parentNode, nextSibling } = tag;
  // Not by `insertBefore` alone: what is in its place already an engine may leave there.
  tag.remove();
  parentNode?.insertBefore(tag, nextSibling);
}
