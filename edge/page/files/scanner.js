// A scanner that types while a question is open, or while nothing is: its burst is told from a person's keys by
// its speed, and taken out of the field into which it fell.

const gap = 50; // ms between two keys
const least = 4; // keys

let burst = { text: '', at: 0, field: null, before: '' };

const isField = (e) => e instanceof HTMLInputElement || e instanceof HTMLSelectElement;

// hear looks at a key before anybody else, and gives the code when a burst ends; free is the scan field, in which
// keys are let be.
export function hear(e, free) {
  if (e.ctrlKey || e.altKey || e.metaKey) return null;
  const follows = e.timeStamp - burst.at <= gap;
  if (e.key === 'Enter') {
    const { text, field, before } = burst;
    burst = { text: '', at: 0, field: null, before: '' };
    if (!follows || text.length < least || e.target === free) return null;
    if (isField(field)) field.value = before;
    return text;
  }
  if (e.key.length !== 1) return null;
  if (!follows) burst = { text: '', at: 0, field: e.target, before: isField(e.target) ? e.target.value : '' };
  burst.text += e.key;
  burst.at = e.timeStamp;
  if (e.target !== free && !isField(e.target) && e.key !== ' ' && !free.closest('[inert]')) free.focus();
  return null;
}
