/** Takes an element out of the page and puts it back: a script then runs that could not before, and a frame that has
    lost its address loses its document. The element stays the same, because whoever made it may hold on to it: React
    fails where it finds another one in its place. */
export function renew(tag: Element): void {
  // Keeps the place: a custom element may take its neighbours away when it goes.
  const place = new Text();
  tag.replaceWith(place);
  place.replaceWith(tag);
}
