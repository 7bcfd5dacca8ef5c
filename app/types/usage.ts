/** How pages use the types: compiled by `cargo xtask lint`, so that a change of the types, or of the package
 * around them, that breaks them is seen. */
import '@assent/types';
import type { Choice } from '@assent/types';

window.assent.on('change', (choice) => choice.targeting);
const end: () => void = window.assent.on('released', (element) => element.tagName);
end();
document.addEventListener('assent:withdrawn', (event) => event.detail.chosen);
const granted: Promise<Choice> = window.assent.when('performance', (choice) => choice.record?.length);
void granted;
window.assent.set({ targeting: true });
// @ts-expect-error: what is necessary is not for choice
window.assent.set({ necessary: false });
