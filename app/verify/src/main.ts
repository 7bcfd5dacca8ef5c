// The page `/verify`: takes a receipt, shows what was found. app/verify/page.html has its elements.
import { check, type Finding, type State, type Step } from './check';

const WORDS: { [state in State]: [sign: string, word: string] } = {
  holds: ['✓', 'Holds'],
  fails: ['✕', 'Does not hold'],
  open: ['?', 'Cannot be checked now'],
  wait: ['…', 'Not yet'],
};

/** Longer than any receipt. */
const BYTES_MAX = 64 * 1024;

const part = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;
const form = part<HTMLFormElement>('form');
const input = part<HTMLTextAreaElement>('receipt');
const file = part<HTMLInputElement>('file');
const result = part('result');
const verdict = part('verdict');

/** The run that counts: an earlier one that is still on its way must not write into it. */
let runs = 0;

function element(name: string, text: string, className = ''): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function show(step: Step, { state, text, says, shown }: Finding) {
  const item = part(`step-${step}`);
  item.className = `step ${state}`;
  const [sign, word] = WORDS[state];
  const mark = element('span', sign, 'sign');
  mark.setAttribute('aria-hidden', 'true');
  const list = element('dl', '', 'says');
  for (const [label, value] of says ?? []) {
    const row = element('div', '');
    row.append(element('dt', label), element('dd', value));
    list.append(row);
  }
  const link = element('a', 'See what the visitor was shown') as HTMLAnchorElement;
  link.href = shown ?? '';
  item
    .querySelector('.finding')!
    .replaceChildren(mark, element('strong', word), element('p', text), ...(says ? [list] : []), ...(shown ? [link] : []));
}

function conclude(states: State[]): [State, string] {
  if (states.includes('fails')) return ['fails', 'This receipt does not hold.'];
  if (states.includes('open')) return ['open', 'Not everything could be checked now.'];
  if (states.includes('wait')) return ['wait', 'The receipt is signed. Its entry in the log cannot be checked yet.'];
  return ['holds', 'This receipt holds: it is signed, and its record is in the site’s log.'];
}

async function run() {
  const number = ++runs;
  const states: State[] = [];
  for (const item of result.querySelectorAll('.step')) {
    item.className = 'step';
    item.querySelector('.finding')!.replaceChildren();
  }
  result.hidden = false;
  verdict.className = 'verdict';
  verdict.textContent = 'Checking…';
  // Without it nothing can be computed: browsers have it for https and this machine only.
  if (!globalThis.crypto?.subtle) {
    verdict.textContent = 'Nothing can be checked here: browsers offer cryptography only on pages that came by https.';
    return;
  }
  await check(input.value, (step, finding) => {
    if (number !== runs) return;
    states.push(finding.state);
    show(step, finding);
  });
  if (number !== runs) return;
  const [state, text] = conclude(states);
  verdict.className = `verdict ${state}`;
  verdict.textContent = text;
}

async function take(chosen: File | undefined) {
  if (!chosen) return;
  input.value = (await chosen.slice(0, BYTES_MAX).text()).trim();
  await run();
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void run();
});
file.addEventListener('change', () => void take(file.files?.[0]));
document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', (event) => {
  event.preventDefault();
  void take(event.dataTransfer?.files[0]);
});
form.hidden = false;
