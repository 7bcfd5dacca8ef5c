/** The choice per service. In the loaders of sites that offer it. */
import { ahead } from '../ahead';
import { FREE } from '../answer';
import { HOLDABLE } from '../holdable';
import type { Host, Services } from '../host';
import { listed, placeOf, SERVICE } from '../services';

declare const PARTS: ((host: Host) => void)[];
declare const COOKIES: string;

const CATEGORIES = ['necessary', 'performance', 'functional', 'targeting'] as const;
const TAGS = HOLDABLE.split(',').map((tag) => `${tag}[data-service]`).join();

PARTS.push((host) => {
  const { assent, byHost, loader } = host;
  const services = listed(loader);
  const ids = services.map(({ id }) => id);
  const necessary = loader.services!.split(' ').slice(ids.length).filter(Boolean);

  /** Whether a service is granted. The gate reads its slot where it reads a category's digit. */
  const granted = (slot: number): boolean => host.allowed(`${String.fromCharCode(52 + slot)}*`, '') == FREE;
  const all = (): Services => Object.fromEntries(ids.map((id, slot) => [id, granted(slot)]));

  Object.defineProperty(host.more, 'services', { enumerable: true, get: all });
  host.codes = (except = {}) =>
    services.map(({ id, code }) => (Object.keys(except).includes(id) ? code : '')).join('');

  const { decide } = byHost;
  byHost.decide = (place) => {
    if (!place.startsWith(SERVICE)) return decide(place);
    const [, not, id] = /^(!?)(.*)/s.exec(place.slice(SERVICE.length))!;
    const slot = ids.indexOf(id);
    return +(slot < 0 ? !not && necessary.includes(id) : granted(slot) != !!not);
  };

  /** The services whose answer differs from their category's; nothing where there are none. */
  function exceptions(categories: number, wanted: Services): Services | undefined {
    const differ = services.filter(({ id, bit }) => !!wanted[id] != !!(categories & bit));
    return differ.length ? Object.fromEntries(differ.map(({ id }) => [id, !!wanted[id]])) : undefined;
  }

  /** Has the service decide about a marked tag. */
  function mark({ dataset }: HTMLElement): void {
    const id = dataset.service!.trim();
    const place = placeOf(dataset);
    const service = services.find((service) => service.id == id);
    // Another manager's name for a service stands for categories.
    if (!service && !necessary.includes(id) && 'assentMark' in dataset) return;
    // Automatic blocking leaves alone what has a category.
    dataset.category ??= service ? CATEGORIES[Math.log2(service.bit)] : '';
    if (dataset.assentHost != place) dataset.assentHost = place;
  }

  // Whatever has the gate applied, in the midst of a script even: the category must not decide first.
  host.before.push(ahead(TAGS, mark));

  assent.set = (wanted) => host.set!(wanted, 'api');
  host.set = ({ services: wanted = {}, ...categories }, method) => {
    let bits = host.granted();
    let named = false;
    const then = all();
    CATEGORIES.slice(1).forEach((category, at) => {
      const on = categories[category as 'targeting'];
      if (on == undefined) return;
      named = true;
      const bit = 2 << at;
      bits = on ? bits | bit : bits & ~bit;
      // Who switches a category switches its services.
      for (const service of services) if (service.bit == bit) then[service.id] = on;
    });
    for (const id of ids) {
      if (!Object.keys(wanted).includes(id) || wanted[id] == undefined) continue;
      named = true;
      then[id] = !!wanted[id];
    }
    if (named) host.decide(bits, method, exceptions(bits, then));
  };

  const { when } = assent;
  assent.when = (name, then) => {
    if (!name.startsWith(SERVICE)) return when(name, then);
    return new Promise<ReturnType<typeof assent.choice>>((resolve) => {
      const test = () => {
        if (byHost.decide(name) == FREE) resolve(assent.choice());
      };
      test();
      host.assent.on('change', test);
    }).then((choice) => (then?.(choice), choice));
  };

  /** What was granted before the change that comes. */
  let last: ReturnType<typeof assent.choice> | undefined;
  host.after.push(() => {
    // Who comes for the first time under opt-in has granted nothing, and needs no gate to say so.
    if (loader.m || COOKIES.includes(`assent-${loader.s}=`)) last ??= assent.choice();
  });
  host.assent.on('change', (choice) => {
    const before = last;
    last = choice;
    // The loss of a category the host tells by itself.
    if (
      ids.some((id) => before?.services![id] && !choice.services![id]) &&
      !CATEGORIES.some((category) => before![category] && !choice[category])
    ) {
      queueMicrotask(() => host.emit('withdrawn', choice));
    }
  });
});
