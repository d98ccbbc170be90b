// Questions to the cashier: one dialog, one question at a time.

import { el } from './screen.js';

const dialog = () => document.getElementById('question');
let settle = null; // of the question that is open
let onScan = 'cancel';

export const isOpen = () => settle !== null;

// cancel closes the question as if Escape had been pressed.
export function cancel() {
  settle?.(null);
}

// scanInto says what a scan does to the open question: 'cancel' closes it, 'wait' has the scan wait until it is
// answered, and 'take' answers it with the code. True: the scan is used up.
export function scanInto(code) {
  if (settle && onScan === 'take') {
    const form = dialog().querySelector('form');
    form.querySelector('input').value = code;
    form.requestSubmit();
    return true;
  }
  if (onScan !== 'wait') cancel();
  return false;
}

// question asks. answers are {value, label, main}: the main one has Enter, the others F1 and on, Escape gives
// null. fields are {name, label, value, ...attributes}; what is keyed comes back as {answer, name: text}.
export function question({ title, text = '', fields = [], answers = [], back = 'Back', scan = 'cancel' }) {
  cancel();
  onScan = scan;
  const before = document.activeElement;
  const form = el('form', { autocomplete: 'off' }, el('h2', { id: 'question-title' }, title));
  if (text) form.append(el('p', {}, text));
  for (const f of fields) form.append(fieldOf(f));
  const keys = el('div', { class: 'answers' });
  let n = 0;
  for (const a of answers) {
    const key = a.main ? 'Enter' : 'F' + ++n;
    keys.append(el('button', { type: a.main ? 'submit' : 'button', class: a.main ? 'main' : '', value: a.value, 'data-key': key },
      a.label, el('kbd', {}, key)));
  }
  if (back) keys.append(el('button', { type: 'button', value: '', 'data-key': 'Escape' }, back, el('kbd', {}, 'Esc')));
  form.append(keys);
  return new Promise((done) => {
    settle = (value) => {
      settle = null;
      const keyed = Object.fromEntries(fields.map((f) => [f.name, form.elements.namedItem(f.name).value]));
      dialog().close();
      before?.focus?.();
      done(value ? { answer: value, ...keyed } : null);
    };
    const mine = settle;
    const give = (value) => settle === mine && mine(value);
    form.addEventListener('submit', (e) => {
      e.preventDefault();
      const main = answers.find((a) => a.main);
      give(main ? main.value : null);
    });
    keys.addEventListener('click', (e) => {
      const b = e.target.closest('button');
      if (b?.type === 'button') give(b.value);
    });
    show(form);
  });
}

function show(form) {
  const d = dialog();
  d.replaceChildren(form);
  d.oncancel = (e) => {
    e.preventDefault();
    cancel();
  };
  d.showModal();
  // Where no answer is the main one, an Enter by mistake says none of them.
  (form.querySelector('input, select') || form.querySelector('button.main') || form.querySelector('button:last-of-type')).focus();
  form.querySelector('input')?.select();
}

function fieldOf({ name, label, options, value, ...attributes }) {
  const id = 'field-' + name;
  const input = options
    ? el('select', { id, name }, ...options.map((o) => el('option', { selected: o === value }, o)))
    : el('input', { id, name, maxlength: '64', autocomplete: 'off', spellcheck: 'false', value, ...attributes });
  return el('div', { class: 'field' }, el('label', { for: id }, label), input);
}

// press presses the answer of a key, if the question has one.
export function press(key) {
  const b = dialog().querySelector(`button[data-key="${key}"]`);
  b?.click();
  return Boolean(b);
}

// tell shows what has to be read.
export const tell = (title, text) => question({ title, text, answers: [{ value: 'ok', label: 'Go on', main: true }], back: '' });
