// Prints the module `rules.js`: which category a known third party belongs to, for automatic blocking. A file of its
// own, because it is larger than the loader. `cargo xtask build` calls this.
//
// Source of the domains: https://github.com/patrickhulce/third-party-web (MIT), npm third-party-web.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Its categories as ours. What is not named here (delivery networks, hosting, utilities, other consent managers) is
    nothing that anybody is asked about. */
const CATEGORIES = {
  analytics: 'performance',
  content: 'functional',
  'customer-success': 'functional',
  video: 'functional',
  ad: 'targeting',
  marketing: 'targeting',
  social: 'targeting',
  'tag-manager': 'targeting',
};

/** Listed as utilities, and yet embeds with cookies of their own. */
const EMBEDS = ['maps.google.com', 'maps.googleapis.com', 'www.google.com/maps', 'calendly.com'];

const file = createRequire(import.meta.url).resolve('third-party-web/dist/entities-nostats.json');
const rules = { performance: [], functional: EMBEDS, targeting: [] };
for (const { category, domains } of JSON.parse(readFileSync(file, 'utf8'))) {
  rules[CATEGORIES[category]]?.push(...domains.map((domain) => domain.replace(/^\*\./, '')));
}

// A domain stands for all below it.
const known = new Set(Object.values(rules).flat());
const covered = (domain) => {
  const labels = domain.split('.');
  return labels.some((_, at) => at > 0 && known.has(labels.slice(at).join('.')));
};
const lists = Object.entries(rules).map(([category, domains]) => [
  category,
  [...new Set(domains)].filter((domain) => !covered(domain)).sort().join(' '),
]);
console.log(`export default${JSON.stringify(Object.fromEntries(lists))}`);
